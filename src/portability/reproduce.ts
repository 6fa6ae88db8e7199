/**
 * `bun run portability reproduce CASE`: a folder that shows a failure without voxgrad. Where another
 * column runs the case right, each of its dispatches is tried by itself on the failing one, and the
 * first that comes out wrong is all that is kept; else the whole case is.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import type { Capabilities } from "../core/kernel";
import { knownKind } from "../gpu/capabilities";
import { makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { listOption, positiveOption } from "../terminal/options";
import { printResult } from "../terminal/result";
import { seedOf } from "./case";
import { type Chosen, chooseColumns } from "./columns";
import type { ListedCase } from "./messages";
import type { Mutant } from "./mutants/defect";
import { DEFECTS } from "./mutants/index";
import { SEED } from "./op_run";
import type { Dissection } from "./packed";
import { chain, type Fault, type Finding, faultOn, mutated, type Reduced, single } from "./reduce";
import { Column } from "./runner";
import { writeFolder } from "./standalone";

interface Options {
  readonly implementation?: string[];
  readonly adapter?: string[];
  readonly out?: string;
  readonly timeout: number;
  readonly defect?: string;
}

const WORKER = join(import.meta.dir, "worker.ts");

export async function main(args: string[]): Promise<void> {
  const command = makeCommand(
    "portability reproduce",
    "Writes a folder that shows a failing case without voxgrad: one HTML file for browsers; WGSL, data, " +
      "expected output and a small program for Bun, Node and Deno; and the text of a report for the " +
      "projects that may be at fault.",
  )
    .argument("<case>", "its id, as a report gives it")
    .option("--implementation <name>", "where it fails", listOption)
    .option("--adapter <name>", "where it fails", listOption)
    .option("--out <folder>", "default: ./reproduce-<case>")
    .option("--timeout <seconds>", "for a run", positiveOption, 60)
    .option(
      "--defect <shader>",
      "with the first defect of this shader planted (src/portability/mutants/)",
    );
  command.parse(args, { from: "user" });
  const options = command.opts<Options>();
  const wanted = command.args[0]!;
  checkPaths({ fills: [given("--out", options.out)] });
  const { columns } = await chooseColumns(options);
  const all = (await chooseColumns({})).columns;
  const timeout = options.timeout;
  const open = ({ host, adapter }: Chosen["columns"][number]) =>
    new Column(host, adapter, { worker: WORKER, timeout });
  const mutant = options.defect === undefined ? undefined : defectOf(options.defect);
  const failing = open(columns[0]!);
  const isOther = ({ host, adapter }: (typeof all)[number]) =>
    host !== failing.host || adapter.name !== failing.adapter.name;
  const others = all.filter(isOther);
  // A driver of another kind is the better judge.
  const rank = (c: (typeof all)[number]) => Number(c.adapter.kind === failing.adapter.kind);
  const judges = others.toSorted((a, b) => rank(a) - rank(b)).map(open);
  try {
    const { id, apart } = await findCase(failing, wanted);
    if (!apart) {
      throw new UserError(`${id}: cannot be taken apart into dispatches; ${KINDS}`);
    }
    const folder = options.out ?? `reproduce-${id.replaceAll(/[^\w.-]+/g, "_")}`;
    makeFolder(folder);
    const finding = await reduce(failing, judges, id, mutant);
    writeFolder(folder, id, failing, finding);
    say(`${finding.summary}`);
    printResult(folder);
  } finally {
    for (const column of [failing, ...judges]) await column.stop();
  }
}

/** @throws UserError where it cannot be made */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const { message } = error as Error;
    throw new UserError(`--out ${folder}: cannot be made (${message}); name another folder`);
  }
}

function defectOf(name: string): Mutant {
  const found = DEFECTS.find(({ kernel }) => kernel === name);
  if (found) return found;
  const names = [...new Set(DEFECTS.map(({ kernel }) => kernel))].join(", ");
  throw new UserError(`--defect ${name}: expected one of ${names}`);
}

const KINDS = "expected a case of a kernel, of facts.functions or of a limit or load on kernels";

async function findCase(column: Column, wanted: string): Promise<ListedCase> {
  const seed = seedOf(wanted) ?? SEED;
  const list = await column.ask({ do: "list", seed, short: false, patterns: [wanted] });
  const listed: readonly ListedCase[] = "listed" in list ? list.listed : [];
  if (listed.length === 1) return listed[0]!;
  const where = `${column.host.name} × ${column.adapter.name}`;
  throw new UserError(
    `${wanted}: names ${listed.length} cases on ${where}, expected one; a --json report lists the ids`,
  );
}

const named = ({ host, adapter }: Column) => `${host.name} × ${adapter.name}`;

async function reduce(
  failing: Column,
  judges: readonly Column[],
  id: string,
  mutant: Mutant | undefined,
): Promise<Finding> {
  let rightOn: string | undefined;
  for (const judge of judges) {
    const right = await dissectedOn(judge, id, knownKind(failing.adapter.kind));
    if (!right) continue;
    say(`${named(judge)} runs it right; trying its ${right.packed.dispatches.length} dispatches`);
    const dissection = mutated(right, mutant);
    rightOn ??= named(judge);
    for (let i = 0; i < dissection.packed.dispatches.length; i++) {
      const one = single(dissection, i, named(judge));
      const fault = await faultOn(failing, one);
      if (!fault) continue;
      await judge.stop(); // its browser or driver would take the processor from the runs that follow
      const summary = `dispatch ${i} (${one.kernel}) ${fault.text}`;
      return { ...(await repeated(failing, one, fault)), summary, rightOn: named(judge) };
    }
    const whole = chain(dissection);
    const fault = await faultOn(failing, whole);
    await judge.stop();
    if (fault) {
      const summary = `only all dispatches together: ${fault.text}`;
      return { ...(await repeated(failing, whole, fault)), summary, rightOn: named(judge) };
    }
    say(`on ${named(failing)} they come out right too, on the same data`);
  }
  const why = rightOn
    ? "so no dispatch can be told from the others"
    : "no other column runs it right";
  say(`${why}: all are kept, as ${named(failing)} runs them, against float64`);
  const reply = await failing.ask({ do: "dissect", id, mutant });
  if (!("dissection" in reply)) throw new Error("the worker did not take the case apart");
  const whole = chain(reply.dissection);
  const fault = await faultOn(failing, whole);
  if (!fault) {
    const summary = `on ${named(failing)} it comes out right: the folder shows a success`;
    return { ...whole, summary, rightOn };
  }
  return { ...(await repeated(failing, whole, fault)), summary: fault.text, rightOn };
}

/** A tracker wants to know how often a failure shows. */
const RUNS = 5;

async function repeated(failing: Column, reduced: Reduced, fault: Fault) {
  let wrong = 1;
  const runs = fault.hung ? 1 : RUNS; // each would take the whole timeout
  for (let i = 1; i < runs; i++) if (await faultOn(failing, reduced)) wrong++;
  return { ...reduced, examples: fault.examples, wrongRuns: [wrong, runs] as const };
}

/** The case taken apart, with the sizes of an adapter of the kind, where it comes out right. */
async function dissectedOn(
  judge: Column,
  id: string,
  kind: Capabilities["kind"],
): Promise<Dissection | undefined> {
  try {
    const reply = await judge.ask({ do: "dissect", id, kind });
    if ("dissection" in reply && reply.dissection.faults.length === 0) return reply.dissection;
  } catch (error) {
    say(`${named(judge)} cannot judge this case: ${(error as Error).message.split("\n")[0]}`);
  }
  await judge.stop();
  return undefined;
}
