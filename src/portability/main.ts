/** `bun run portability`: see docs/engine/portability.md. */
import { join } from "node:path";
import { Option } from "commander";
import { UserError } from "../core/errors";
import { writeAtomically } from "../platform/atomic_file";
import { makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { setInterruptedCode, watchInterrupt } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { countOption, listOption, positiveOption, repeatedOption } from "../terminal/options";
import { printResult } from "../terminal/result";
import { seedOf } from "./case";
import { chooseColumns } from "./columns";
import { SEED } from "./op_run";
import { countsOf } from "./report/cells";
import { comparisonLines } from "./report/compare";
import { readReport, writeReport } from "./report/file";
import { htmlReport } from "./report/html";
import { matrixLines } from "./report/matrix";
import { checkChoice, isOf, resumed } from "./report/resumed";
import type { Report } from "./report/schema";
import { Suite } from "./suite";

const WORKER = join(import.meta.dir, "worker.ts");

interface Options {
  readonly implementation?: string[];
  readonly adapter?: string[];
  readonly case: string[];
  readonly short: boolean;
  readonly seed: number;
  readonly json?: string;
  readonly html?: string;
  readonly resume?: string;
  readonly timeout: number;
  readonly jobs: number;
  readonly workers?: number;
}

const PARTS: Readonly<Record<string, () => Promise<{ main(args: string[]): Promise<void> }>>> = {
  reproduce: () => import("./reproduce"),
  mutate: () => import("./mutate"),
  report: () => import("./report/command"),
};

await runMain(async () => {
  const [part = "", ...rest] = process.argv.slice(2);
  const found = PARTS[part];
  if (found) return (await found()).main(rest);
  return run();
});

async function run(): Promise<void> {
  const command = makeCommand(
    "portability",
    "Runs every kernel in every variant that the adapter can run, limits, loads and whole networks " +
      "against float64, on every WebGPU implementation and adapter here. `portability reproduce CASE` writes a folder that shows " +
      "a failure without voxgrad; `portability mutate` shows that the suite notices defects; " +
      "`portability report FILE` shows a --json file once more.",
  )
    .option(
      "--implementation <names>",
      "of bun, node, deno, chromium, firefox; default: all",
      listOption,
    )
    .option("--adapter <names>", "lavapipe, swiftshader, gpu, or parts of names", listOption)
    .option("--case <id>", "ids or rows, * and ? allowed; repeatable", repeatedOption, [])
    .option("--short", "a few cases of every row: minutes instead of hours", false)
    .addOption(
      new Option("--seed <n>", "of all random numbers").argParser(countOption).default(SEED),
    )
    .option("--json <file>", "write the report as JSON, also while it grows")
    .option("--html <file>", "write the report as one page")
    .option("--resume <file>", "go on with a --json file: cases and columns that it has not")
    .option("--timeout <seconds>", "for a case", positiveOption, 60)
    .option("--jobs <n>", "columns at a time", countOption, 1)
    .option(
      "--workers <n>",
      "cases of a column at a time; default: on a GPU half of the cores, at most 8, else 1",
      countOption,
    )
    .option("--compare <files...>", "tell what changed between two --json files");
  command.parse();
  const options = command.opts<Options & { compare?: string[] }>();
  if (options.compare) return compare(options.compare);
  const named = Object.entries({ short: "short", seed: "seed", case: "cases" }).filter(
    ([option]) => command.getOptionValueSource(option) === "cli",
  );
  await runSuite(options, new Set(named.map(([, name]) => name)));
}

function compare(files: readonly string[]): void {
  const [before, after, ...more] = files;
  if (!before || !after || more.length > 0) {
    throw new UserError(`--compare ${files.join(" ")}: expected two files that --json wrote`);
  }
  for (const line of comparisonLines(readReport(before), readReport(after))) printResult(line);
}

/** The seed that the ids carry, if they carry one. */
function seedFor({ case: cases, seed }: Options): number {
  const seeds = new Set(cases.flatMap((id) => seedOf(id) ?? []));
  if (seeds.size > 1) {
    throw new UserError(`--case: ids with seeds ${[...seeds].join(", ")}; one run has one seed`);
  }
  return [...seeds][0] ?? seed;
}

/** @param named those of the report's options that the command names */
async function runSuite(options: Options, named: ReadonlySet<string>): Promise<void> {
  const { json = options.resume, html } = options;
  // A report that is gone on with is read and written.
  const read = options.resume === json ? undefined : options.resume;
  checkPaths({
    reads: [given("--resume", read)],
    writes: [
      given(options.json === undefined ? "--resume" : "--json", json),
      given("--html", html),
    ],
  });
  const before = options.resume === undefined ? undefined : readReport(options.resume);
  const own = { short: options.short, seed: seedFor(options), cases: options.case };
  const told = Object.fromEntries(Object.entries(own).filter(([name]) => named.has(name)));
  if (before) checkChoice(options.resume!, before, told);
  const chosen = await chooseColumns(options);
  const earlier = before && resumed(options.resume!, before, chosen);
  const settings = earlier?.options ?? own;
  for (const { implementation, reason } of chosen.missing) say(`${implementation}: ${reason}`);
  const save = (report: Report) => {
    if (json) writeReport(json, report);
  };
  const interrupt = watchInterrupt();
  const { timeout, jobs, workers } = options;
  const how = { ...settings, timeout, jobs, workers, worker: WORKER };
  const suite = new Suite(chosen, how, interrupt.signal, save, earlier);
  await suite.run();
  interrupt.dispose();
  const { report } = suite;
  const { aborted } = interrupt.signal;
  const columns = report.columns.filter((column) =>
    chosen.columns.some(({ host, adapter }) => isOf(column, host.name, adapter)),
  );
  const empty = columns.every(({ results, skipped }) => results.length + skipped.length === 0);
  const isWhole = columns.every(({ complete }) => complete);
  if (empty && isWhole) {
    throw new UserError(`--case ${settings.cases.join(" ")}: matches no case on these columns`);
  }
  if (html !== undefined) writeAtomically(html, htmlReport(report));
  for (const line of matrixLines(report)) printResult(line);
  if (aborted) {
    if (json) say(`go on with --resume ${json}`);
    setInterruptedCode(interrupt.signal);
  } else if (!isWhole || countsOf(report).failed > 0) process.exitCode = 1;
}
