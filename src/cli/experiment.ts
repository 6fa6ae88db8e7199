import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../core/errors";
import { type Cohort, openCohort, splitCohort } from "../data/cohort";
import { readMask } from "../data/nifti_read";
import { ensurePhantom } from "../data/phantom/cohort";
import { executeRuns } from "../experiment/execute";
import {
  type Budget,
  newSetup,
  readEnd,
  readSetup,
  runPath,
  type Setup,
  writeSetup,
} from "../experiment/folder";
import {
  type Grid,
  type PlannedRun,
  plannedRuns,
  readGrid,
  trainArguments,
} from "../experiment/grid";
import { runsProgress } from "../experiment/progress";
import { writeReport } from "../experiment/report";
import { readResults } from "../experiment/results";
import { shareDone } from "../experiment/watch";
import { openDevice } from "../hosts/bun";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { setInterruptedCode, watchInterrupt } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import {
  countOption,
  durationOption,
  idsOption,
  numberOption,
  numbersOption,
} from "../terminal/options";
import { isOfShard, SHARD_OPTION, type Shard } from "../terminal/shard";
import { withTrainOptions } from "./train/options";

interface Options {
  readonly data?: string;
  readonly out?: string;
  readonly budgetEach?: number;
  readonly iterationsEach?: number;
  readonly seeds?: number[];
  readonly preset?: string;
  readonly val?: string[];
  readonly folds?: number;
  readonly processes: number;
  readonly shard?: Shard;
  readonly adapter?: string;
}

const GRIDS = fileURLToPath(new URL("../experiment/", import.meta.url));

const program = makeCommand("experiment", "Trains and compares the arms of an experiment.")
  .argument(
    "<grid>",
    "fig2 (the paper's comparison), losses, mining, best, or a YAML file of your own like them",
  )
  .option("--data <dir>", "cohort in the MSSEG-2 layout; without it a phantom cohort is made")
  .option("--budget-each <time>", "training time of every run, e.g. 20m or 3h", durationOption)
  .option("--iterations-each <n>", "iterations of every run instead of a time", countOption)
  .option("--seeds <a,b,…>", "seeds instead of the grid's", numbersOption)
  .option("--preset <name>", "preset of `bun run train` (default: as the adapter has)")
  .option("--val <ids>", "patients that validate in every run, separated by commas", idsOption)
  .option("--folds <n>", "a share of 1/n validates (default: 4)", numberOption)
  .option("--out <dir>", "folder of the experiment (default: runs/<grid>); goes on with one there")
  .option("--processes <n>", "trainings at a time in this process", countOption, 1)
  .option(...SHARD_OPTION)
  .option(...ADAPTER_OPTION)
  .addHelpText(
    "after",
    "\nThe same command again goes on where it was stopped. Started several times with one --out, " +
      "the\nprocesses share the runs; each run is done once.",
  );
program.parse();
await runMain(() => experiment(program.args[0]!, program.opts<Options>()));

async function experiment(name: string, options: Options): Promise<void> {
  const path = gridPath(name);
  const grid = readGrid(path);
  checkArms(path, grid);
  const { preset } = grid.settings;
  if (options.preset !== undefined && preset !== undefined) {
    throw new UserError(
      `--preset ${options.preset}: ${path} names preset ${preset} itself; change it in a copy of that file`,
    );
  }
  const folder = options.out ?? join("runs", basename(path).replace(/\.ya?ml$/, ""));
  checkPaths({
    reads: [given("<grid>", path), given("--data", options.data)],
    fills: [given("--out", folder)],
  });
  const setup = await setUp(folder, path, options);
  const seeds = options.seeds ?? grid.seeds;
  const runs = plannedRuns(grid, seeds);
  say(`${runs.length} runs in ${folder}, ${options.processes} at a time`);
  const mine = runs.filter(({ id }) => isOfShard(id, options.shard));
  if (options.shard)
    say(`${mine.length} of them in part ${options.shard.index} of ${options.shard.of}`);
  const signal = await execute(folder, setup, mine, options.processes);
  const results = readResults(folder, grid, runs);
  const report = writeReport({ folder, grid, setup, results });
  sayEnd(folder, runs, report, signal);
}

function gridPath(name: string): string {
  if (existsSync(name)) return name;
  const own = join(GRIDS, `${name}.yaml`);
  if (/^\w+$/.test(name) && existsSync(own)) return own;
  const names = readdirSync(GRIDS).filter((file) => file.endsWith(".yaml"));
  throw new UserError(
    `${name}: no such file, and no grid of that name; there are ` +
      `${names
        .map((file) => file.replace(".yaml", ""))
        .sort()
        .join(", ")}`,
  );
}

/** Every arm's settings must be options of `bun run train`. */
function checkArms(path: string, grid: Grid): void {
  for (const figure of grid.figures) {
    for (const [arm, settings] of Object.entries(figure.arms)) {
      const command = makeCommand("train", "").exitOverride((error) => {
        const reason = error.message.replace(/^error: /, "").replaceAll(/\s+/g, " ");
        throw new UserError(`${path}: figure ${figure.name}, arm "${arm}": ${reason}`);
      });
      withTrainOptions(command);
      command.configureOutput({ writeErr: () => undefined, outputError: () => undefined });
      command.parse(trainArguments({ ...grid.settings, ...settings }), { from: "user" });
    }
  }
}

/** A new experiment, or the one that lies in the folder. @throws UserError where they differ */
async function setUp(folder: string, path: string, options: Options): Promise<Setup> {
  const grid = readFileSync(path, "utf8");
  const earlier = readSetup(folder);
  if (earlier) {
    await refuseChanges(folder, earlier, grid, options);
    return earlier;
  }
  const budget = budgetOf(options);
  const root =
    options.data ??
    (await ensurePhantom({}, (done, total) => {
      if (done % 5 === 0 || done === total) say(`phantom patient ${done}/${total}`);
    }));
  const cohort = await openCohort(root);
  for (const note of cohort.notes) say(note);
  const { preset } = options;
  const arms = splitOf(cohort, options);
  const lesionFree: string[] = [];
  for (const { id, truth } of arms.val) {
    if ((await readMask(truth)).data.every((voxel) => voxel === 0)) lesionFree.push(id);
  }
  const validation = arms.val.map(({ id }) => id);
  if (lesionFree.length === validation.length) {
    throw new UserError(`--val ${validation}: none of them has a lesion; Dice says nothing there`);
  }
  const adapter = await adapterName(options);
  const trained = arms.train.length;
  const data = resolve(root);
  const setup = newSetup({ grid, data, validation, lesionFree, trained, preset, budget, adapter });
  if (writeSetup(folder, setup)) return setup;
  // Another process was first.
  const first = readSetup(folder)!;
  await refuseChanges(folder, first, grid, options);
  return first;
}

function budgetOf({ budgetEach, iterationsEach }: Options): Budget {
  if (budgetEach !== undefined && iterationsEach !== undefined) {
    throw new UserError("--budget-each and --iterations-each exclude each other: give one of them");
  }
  if (budgetEach !== undefined) return { seconds: budgetEach };
  if (iterationsEach !== undefined) return { iterations: iterationsEach };
  throw new UserError(
    "give every run the same budget: --budget-each 20m, or --iterations-each 5000",
  );
}

function splitOf({ patients }: Cohort, { val, folds }: Options) {
  return splitCohort(patients, { val, folds, seed: 0 });
}

async function refuseChanges(
  folder: string,
  setup: Setup,
  grid: string,
  options: Options,
): Promise<void> {
  const { data, val, folds, preset, budgetEach: seconds, iterationsEach: iterations } = options;
  const refuse = (what: string) => {
    throw new UserError(
      `${folder}: holds an experiment with ${what}; go on with that one, or name another --out`,
    );
  };
  if (setup.grid !== grid) refuse("another grid");
  if (data !== undefined && resolve(data) !== setup.data) refuse(`--data ${setup.data}`);
  if (val !== undefined || folds !== undefined) {
    const asked = splitOf(await openCohort(setup.data), options).val.map(({ id }) => id);
    if (asked.sort().join() !== [...setup.validation].sort().join()) {
      refuse(`--val ${setup.validation}`);
    }
  }
  if (preset !== undefined && preset !== setup.preset) refuse(`--preset ${setup.preset}`);
  if (seconds !== undefined || iterations !== undefined) {
    const same =
      "seconds" in setup.budget
        ? setup.budget.seconds === seconds
        : setup.budget.iterations === iterations;
    if (!same) refuse(`the budget ${JSON.stringify(setup.budget)}`);
  }
  if (options.adapter !== undefined) {
    const adapter = await adapterName(options);
    if (adapter !== setup.adapter) refuse(`--adapter "${setup.adapter}"`);
  }
}

async function adapterName({ adapter }: Options): Promise<string> {
  const device = await openDevice({ adapter });
  device.destroy();
  return device.info.name;
}

/** @returns a signal that is aborted where Ctrl-C ended it */
async function execute(
  folder: string,
  setup: Setup,
  runs: readonly PlannedRun[],
  processes: number,
): Promise<AbortSignal> {
  const going = new Map<string, PlannedRun>();
  const progress = runsProgress(runs.length);
  const interrupt = watchInterrupt((line) => progress.note(line));
  const show = () => {
    const shares = runs.map(({ id }) => shareDone(folder, id, setup.budget));
    progress.update(
      shares,
      [...going.values()].map(({ id }) => id),
    );
  };
  const timer = setInterval(show, 2000);
  try {
    await executeRuns({
      ...{ folder, setup, runs, processes, signal: interrupt.signal },
      onStart: (run) => {
        going.set(run.id, run);
        show();
      },
      onEnd: ({ id }, failed) => {
        going.delete(id);
        if (failed !== undefined) progress.note(`${id} failed: ${failed}`);
        show();
      },
    });
  } finally {
    clearInterval(timer);
    progress.stop();
    interrupt.dispose();
  }
  return interrupt.signal;
}

function sayEnd(
  folder: string,
  runs: readonly PlannedRun[],
  report: string,
  signal: AbortSignal,
): void {
  const ends = runs.map((run) => ({ run, end: readEnd(folder, run.id) }));
  const failed = ends.filter(({ end }) => end?.failed !== undefined);
  const open = ends.filter(({ end }) => end === undefined);
  for (const { run, end } of failed) {
    say(`failed: ${run.id}: ${end!.failed} (${runPath(folder, run.id)})`);
  }
  if (open.length > 0) {
    const how = signal.aborted ? "interrupted" : "left to other processes";
    say(`${open.length} of ${runs.length} runs are not done (${how}); repeat the command to go on`);
  }
  say(`report: ${report}`);
  if (signal.aborted) setInterruptedCode(signal);
  else if (failed.length > 0) process.exitCode = 1;
}
