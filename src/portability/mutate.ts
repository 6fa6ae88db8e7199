/**
 * `bun run portability mutate`: applies one defect after the other to the shaders that the workers run,
 * and tells which of the suite's cases notice. The files stay as they are.
 */
import { join } from "node:path";
import { UserError } from "../core/errors";
import { makeCommand, say } from "../terminal/command";
import { setInterruptedCode, watchInterrupt } from "../terminal/interrupt";
import { listOption, positiveOption } from "../terminal/options";
import { duration, ProgressLine } from "../terminal/progress";
import { Rate } from "../terminal/rate";
import { printResult } from "../terminal/result";
import { chooseColumns } from "./columns";
import type { Defect } from "./mutants/defect";
import { DEFECTS } from "./mutants/index";
import { SHADERS } from "./mutants/shaders";
import { type Notice, searchNotice } from "./notice";
import { SEED } from "./op_run";
import { Column } from "./runner";

interface Options {
  readonly implementation: string[];
  readonly adapter: string[];
  readonly kernel?: string[];
  readonly case: string[];
  readonly all: boolean;
  readonly timeout: number;
}

interface NamedColumn {
  readonly name: string;
  readonly column: Column;
}

interface Verdict {
  readonly defect: Defect;
  /** Absent: no case of any column noticed. */
  readonly notice?: Notice & { readonly column: string };
  /** Cases of all columns. */
  readonly tried: number;
}

const WORKER = join(import.meta.dir, "worker.ts");

export async function main(args: string[]): Promise<void> {
  const command = makeCommand(
    "portability mutate",
    "Applies small defects to the shaders, one at a time, and shows that the suite notices them. " +
      "What one column does not notice is tried in the next.",
  )
    .option("--implementation <names>", "where to run", listOption, ["bun"])
    .option("--adapter <names>", "where to run", listOption, ["lavapipe", "swiftshader"])
    .option("--kernel <names>", "only defects of these shaders", listOption)
    .option("--case <ids>", "only these cases, as of `bun run portability`", listOption, [])
    .option("--all", "every case of the suite, not only those of the short form", false)
    .option(
      "--timeout <seconds>",
      "for a case; one that takes longer notices nothing",
      positiveOption,
      120,
    );
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
  const { signal, dispose } = watchInterrupt();
  const named = columns.map(({ host, adapter }): NamedColumn => {
    const column = new Column(host, adapter, { worker: WORKER, timeout: options.timeout, signal });
    return { name: `${host.name} × ${adapter.name}`, column };
  });
  const verdicts = await tryAll(named, defects, options, signal);
  dispose();
  for (const line of tableLines(verdicts)) printResult(line);
  const count = verdicts.filter(({ notice }) => notice).length;
  const launched = verdicts.filter(({ tried }) => tried > 0).length;
  const where = named.map(({ name }) => name).join(", then ");
  printResult(`${count} of ${launched} defects noticed on ${where}`);
  const without = new Set(
    verdicts.filter(({ tried }) => tried === 0).map(({ defect }) => defect.kernel),
  );
  if (without.size > 0) {
    const number = verdicts.length - launched;
    printResult(`${number} not planted, for no case here launches ${[...without].join(", ")}`);
  }
  if (signal.aborted) setInterruptedCode(signal);
  else if (launched === 0 || count < launched) process.exitCode = 1;
}

/** @throws UserError where the shader has another text by now */
export function checkText({ kernel, from }: Defect): void {
  const text = SHADERS.get(kernel);
  if (text === undefined) throw new Error(`shaders/: no file ${kernel}.wgsl`);
  const count = text.split(from).length - 1;
  if (count === 1) return;
  throw new UserError(
    `src/portability/mutants/: shaders/${kernel}.wgsl has ${count} places with ` +
      `${JSON.stringify(from)}, expected one; bring the defect up to date`,
  );
}

async function tryAll(
  columns: readonly NamedColumn[],
  defects: readonly Defect[],
  options: Options,
  signal: AbortSignal,
): Promise<Verdict[]> {
  const progress = new ProgressLine({});
  const rate = new Rate();
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
      const verdict = await tryOne(columns, defect, options, (text) => progress.note(text));
      if (signal.aborted) break; // it may have ended the worker, which is no notice
      verdicts.push(verdict);
      if (verdict.notice) continue;
      const fate = verdict.tried > 0 ? "not noticed" : "not planted";
      progress.note(`${fate}: ${defect.kernel}: ${defect.what}`);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    progress.stop();
    for (const { column } of columns) await column.stop();
  }
  return verdicts;
}

/** In one column after the other, until a case notices. */
async function tryOne(
  columns: readonly NamedColumn[],
  defect: Defect,
  { all, case: patterns }: Options,
  note: (text: string) => void,
): Promise<Verdict> {
  const { kernel } = defect;
  let tried = 0;
  for (const { name, column } of columns) {
    const list = await column.ask({ do: "list", seed: SEED, short: !all, patterns, kernel });
    if (!("listed" in list)) throw new Error("the worker did not list its cases");
    if (list.listed.length === 0) say(`${kernel}: no case launches it on ${name}`);
    const first = defect.kind === "barrier" ? "shuffled" : undefined;
    const found = await searchNotice(column, list.listed, defect, first);
    tried += found.tried;
    for (const line of found.doubtful) note(`${kernel}: does not count on ${name}: ${line}`);
    if (found.notice) return { defect, notice: { ...found.notice, column: name }, tried };
  }
  return { defect, tried };
}

function tableLines(verdicts: readonly Verdict[]): string[] {
  const rows = verdicts.map(({ defect, notice, tried }) => {
    const { kind, kernel, what } = defect;
    const none = tried > 0 ? `**none of ${tried}** | | ` : "not planted | | ";
    const by = notice ? `\`${notice.id}\` | ${notice.how} | ${notice.column}` : none;
    return `| ${kind} | \`${kernel}\` | ${what} | ${by} |`;
  });
  const head = ["| kind | shader | defect | noticed by | how | on |", "|---|---|---|---|---|---|"];
  return [...head, ...rows];
}
