/**
 * `bun run portability mutate`: applies one defect after the other to the shaders that the workers run,
 * and tells which of the suite's cases notice. The files stay as they are.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { UserError } from "../core/errors";
import { makeCommand, say } from "../terminal/command";
import { watchInterrupt } from "../terminal/interrupt";
import { listOption, positiveOption } from "../terminal/options";
import { duration, ProgressLine } from "../terminal/progress";
import { Rate } from "../terminal/rate";
import { printResult } from "../terminal/result";
import { chooseColumns } from "./columns";
import type { ListedCase } from "./messages";
import { DEFECTS, type Defect } from "./mutants";
import { SEED } from "./op_run";
import { Column, WorkerLost } from "./runner";

interface Options {
  readonly implementation: string[];
  readonly adapter: string[];
  readonly kernel?: string[];
  readonly case: string[];
  readonly seconds: number;
}

interface Verdict {
  readonly defect: Defect;
  /** The case that noticed, and how; undefined: none did. */
  readonly noticed?: { readonly id: string; readonly how: string };
  readonly tried: number;
  readonly column: string;
}

const SHADERS = join(import.meta.dir, "..", "..", "shaders");
const WORKER = join(import.meta.dir, "worker.ts");
/** Between the places at which rows begin. */
const PLACES = 11;
/** As many of the defects may survive. */
const MAY_SURVIVE = 1;

export async function main(args: string[]): Promise<void> {
  const command = makeCommand(
    "portability mutate",
    "Applies small defects to the shaders, one at a time, and shows that the suite notices them.",
  )
    .option("--implementation <name>", "where to run", listOption, ["bun"])
    .option("--adapter <name>", "where to run", listOption, ["lavapipe"])
    .option("--kernel <names>", "only defects of these shaders", listOption)
    .option("--case <ids>", "only these cases, as of `bun run portability`", listOption, [])
    .option("--seconds <n>", "for the cases of a defect", positiveOption, 60);
  command.parse(args, { from: "user" });
  const options = command.opts<Options>();
  const defects = DEFECTS.filter(({ kernel }) => options.kernel?.includes(kernel) ?? true);
  if (defects.length === 0) {
    const kernels = [...new Set(DEFECTS.map(({ kernel }) => kernel))].sort();
    throw new UserError(
      `--kernel ${options.kernel}: no defect is planted there; expected one of ${kernels.join(", ")}`,
    );
  }
  for (const defect of defects) checkText(defect);
  const { columns } = await chooseColumns(options);
  const { host, adapter } = columns[0]!;
  const column = new Column(host, adapter, { worker: WORKER, timeout: options.seconds });
  const name = `${host.name} × ${adapter.name}`;
  const verdicts = await tryAll(column, name, defects, options);
  for (const line of tableLines(verdicts)) printResult(line);
  const survivors = verdicts.filter(({ noticed }) => !noticed);
  const count = verdicts.length - survivors.length;
  printResult(`${count} of ${verdicts.length} defects noticed on ${name}`);
  if (survivors.length > MAY_SURVIVE || verdicts.length < defects.length) process.exitCode = 1;
}

/** The file of a shader, which lies in the folder of its family. */
function shaderFile(kernel: string): string {
  const found = [...new Glob(`**/${kernel}.wgsl`).scanSync({ cwd: SHADERS, absolute: true })];
  if (found.length !== 1) throw new Error(`shaders/: ${found.length} files ${kernel}.wgsl`);
  return found[0]!;
}

/** @throws UserError where the shader has another text by now */
export function checkText({ kernel, from }: Defect): void {
  const text = readFileSync(shaderFile(kernel), "utf8");
  const count = text.split(from).length - 1;
  if (count === 1) return;
  throw new UserError(
    `src/portability/mutants.ts: shaders/${kernel}.wgsl has ${count} places with ` +
      `${JSON.stringify(from)}, expected one; bring the defect up to date`,
  );
}

async function tryAll(
  column: Column,
  name: string,
  defects: readonly Defect[],
  options: Options,
): Promise<Verdict[]> {
  const progress = new ProgressLine({});
  const rate = new Rate();
  const { signal, dispose } = watchInterrupt();
  const verdicts: Verdict[] = [];
  try {
    for (const defect of defects) {
      if (signal.aborted) break;
      rate.add(performance.now() / 1000, verdicts.length);
      const left = rate.secondsUntil(defects.length);
      progress.update(verdicts.length / defects.length, [
        `defect ${verdicts.length + 1}/${defects.length}`,
        ...(left === undefined ? [] : [`${duration(left)} left`]),
        `${defect.kernel}: ${defect.what}`,
      ]);
      const verdict = await tryOne(column, name, defect, options);
      verdicts.push(verdict);
      if (!verdict.noticed) progress.note(`not noticed: ${defect.kernel}: ${defect.what}`);
    }
  } finally {
    progress.stop();
    dispose();
    await column.stop();
  }
  return verdicts;
}

async function tryOne(
  column: Column,
  name: string,
  defect: Defect,
  { seconds, case: patterns }: Options,
): Promise<Verdict> {
  const { kernel, from, to } = defect;
  const list = await column.ask({ do: "list", seed: SEED, short: false, patterns, kernel });
  if (!("listed" in list)) throw new Error("the worker did not list its cases");
  if (list.listed.length === 0) say(`${kernel}: no case launches it on ${name}`);
  const end = performance.now() + 1000 * seconds;
  let tried = 0;
  for (const c of interleaved(list.listed)) {
    if (performance.now() > end) break;
    tried++;
    const how = await howNoticed(column, c, { kernel, from, to });
    if (how) return { defect, noticed: { id: c.id, how }, tried, column: name };
  }
  return { defect, tried, column: name };
}

/** A case of every row, each from another place in its row, then the next; what takes long at the end. */
function interleaved(cases: readonly ListedCase[]): ListedCase[] {
  const rows = [...Map.groupBy(cases, ({ row }) => row).values()];
  const placed = rows.flatMap((row, r) =>
    row.map((_, place) => ({ place, c: row[(place + PLACES * r) % row.length]! })),
  );
  placed.sort((a, b) => a.c.patience - b.c.patience || a.place - b.place);
  return placed.map(({ c }) => c);
}

/** The fault of the case with the defect, if it does not pass. */
async function howNoticed(
  column: Column,
  { id, patience }: ListedCase,
  mutant: Pick<Defect, "kernel" | "from" | "to">,
): Promise<string | undefined> {
  try {
    const reply = await column.ask({ do: "run", id, mutant }, patience);
    if (!("outcome" in reply)) throw new Error(`the worker answered ${JSON.stringify(reply)}`);
    const { faults, worst } = reply.outcome;
    if (faults.length === 0) return undefined;
    if (faults.some((fault) => /was written/.test(fault))) return "stray write";
    if (faults.every((fault) => /differ|other bits/.test(fault))) return "not repeatable";
    return Number.isFinite(worst) && worst !== null
      ? `${worst.toExponential(0)} × bound`
      : "exact, or NaN";
  } catch (error) {
    if (error instanceof WorkerLost) return error.status;
    throw error; // a shader that does not compile is no defect that a suite could miss
  }
}

function tableLines(verdicts: readonly Verdict[]): string[] {
  const rows = verdicts.map(({ defect, noticed, tried }) => {
    const { kind, kernel, what } = defect;
    const by = noticed ? `\`${noticed.id}\` | ${noticed.how}` : `**none of ${tried}** | `;
    return `| ${kind} | \`${kernel}\` | ${what} | ${by} |`;
  });
  return ["| kind | shader | defect | noticed by | how |", "|---|---|---|---|---|", ...rows];
}
