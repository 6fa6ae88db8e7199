import { existsSync } from "node:fs";
import { withTuneOptions } from "../choose/tune_options";
import { VolumeStore } from "../data/volume_store";
import { checkPrecision } from "../gpu/capabilities";
import { Memory } from "../gpu/memory";
import { openDevice } from "../hosts/bun";
import { loadCheckpoint, type Progress } from "../run/checkpoint";
import { trainingProgress } from "../run/progress";
import { runTraining } from "../run/run";
import { chooseForRun, keepChoices } from "../run/run_choices";
import {
  checkpointPaths,
  openRunFolder,
  type RunFolder,
  refuseExistingRun,
  truncateMetrics,
} from "../run/run_folder";
import { lockRunFolder } from "../run/run_lock";
import { makeCommand, say } from "../terminal/command";
import { INTERRUPTED, watchInterrupt } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { duration } from "../terminal/progress";
import { Trainer } from "../train/trainer";
import {
  checkTwins,
  newFolder,
  newSplit,
  openData,
  prepare,
  type SavedSplit,
  savedSplit,
  splitOf,
} from "./train/data";
import { extraPairs } from "./train/extra";
import { isCrossValidation, trainFolds } from "./train/folds";
import { withTrainOptions } from "./train/options";
import { newConfig, resumedConfig, type TrainFlags } from "./train/settings";

const program = makeCommand("train", "Trains the 3D U-Net on pairs of FLAIR scans.");
withTrainOptions(program);
withTuneOptions(program);
program.parse();
const given = program.opts<TrainFlags>();
await runMain(() => (isCrossValidation(given) ? trainFolds(program) : train(given)));

async function train(options: TrainFlags): Promise<void> {
  const device = await openDevice({ adapter: options.adapter });
  const memory = new Memory(device);
  const resumed = options.resume === undefined ? undefined : openRunFolder(options.resume);
  if (resumed) lockRunFolder(resumed.path);
  else if (options.out !== undefined) refuseExistingRun(options.out);
  const config = resumed ? resumedConfig(resumed, program) : newConfig(device, program);
  checkPrecision(device, config.precision);
  say(device.describe(config.precision));
  const data = options.data ?? (resumed && (resumed.split as unknown as SavedSplit).data);
  const cohort = await openData(config, data);
  const split = resumed ? savedSplit(resumed, cohort) : newSplit(cohort, config, options);
  checkTwins(config, split);
  const saved = resumed?.split as SavedSplit | undefined;
  const extra = await extraPairs(config, split, saved?.trainData ?? options.trainData ?? []);
  if (!extra) return;
  const { sources, patients } = await prepare(memory, config, split, extra);
  const choices = await chooseForRun(device, config, resumed, options);
  if (!choices) return;
  const folder = resumed ?? newFolder(config, splitOf(cohort, split, options), options);
  keepChoices(device, choices, config, folder);
  const store = VolumeStore.create(memory, sources, {
    half: config.volumePrecision === "f16",
    budget: config.volumeBudget,
    patch: config.patch,
    statistics: config.augment.length > 0,
  });
  // Interrupted before its first checkpoint, a run starts again from its seed.
  const checkpointed =
    resumed && existsSync(checkpointPaths(resumed, "last").state) ? resumed : undefined;
  let start: Progress = { iteration: 0, seconds: 0, bestDice: -1 };
  const trainer = await Trainer.create(memory, store, config, {
    kernels: choices.kernels,
    restore:
      checkpointed &&
      ((state, specs) => {
        start = loadCheckpoint(memory, state, specs, checkpointPaths(checkpointed, "last"));
        return start.iteration;
      }),
  });
  if (resumed) truncateMetrics(resumed, start.iteration);
  sayPlan(trainer, store, folder, start);
  const budget =
    config.iterations === undefined
      ? { seconds: config.seconds! }
      : { iterations: config.iterations };
  const progress = trainingProgress(budget, config.batch);
  const interrupt = watchInterrupt((line) => progress.note(line));
  const { signal } = interrupt;
  const result = await runTraining({ trainer, folder, patients, choices, start, signal, progress });
  interrupt.dispose();
  sayEnd(folder, result);
}

function sayPlan(trainer: Trainer, store: VolumeStore, folder: RunFolder, start: Progress): void {
  const { config, program: recorded } = trainer;
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const { selection, miningError } = config;
  const mining =
    config.sampler === "ohem"
      ? `OHEM B̄ ${config.pool} → B ${config.batch} (${selection} by ${miningError}), μ ${config.mu}`
      : `uniform, B ${config.batch}`;
  say(
    `preset ${config.preset}: filters ${config.filters.join("/")}, ${config.spacing} mm, patches ` +
      `${config.patch}³, loss ${config.loss}, ${mining}, ${Math.round(100 * config.positive)} % ` +
      "positive; " +
      `${recorded.stats.dispatches} dispatches an iteration, ${mib(recorded.stats.plannedBytes)} ` +
      `of activations, ${mib(store.deviceBytes)} of volumes${
        store.complete ? "" : " (not all fit --volume-budget: patients rotate)"
      }`,
  );
  const from = start.iteration > 0 ? `, resumed at iteration ${start.iteration}` : "";
  say(`run folder ${folder.path}${from}; the first iteration compiles the kernels`);
}

function sayEnd(folder: RunFolder, result: Awaited<ReturnType<typeof runTraining>>): void {
  const { iteration, seconds, bestDice, interrupted } = result;
  const dice = bestDice >= 0 ? `, best validation Dice ${bestDice.toFixed(3)}` : "";
  say(`${iteration} iterations in ${duration(seconds)} of training${dice}; see ${folder.path}`);
  if (!interrupted) return;
  say(`interrupted; go on with: bun run train --resume ${folder.path}`);
  process.exitCode = INTERRUPTED;
}
