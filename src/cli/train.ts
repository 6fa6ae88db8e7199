import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../core/errors";
import { type Cohort, openCohort, type Patient, splitCohort } from "../data/cohort";
import { ensurePhantom } from "../data/phantom/cohort";
import { type PreparedPatient, preparePatient } from "../data/prepared_cache";
import { VolumeStore } from "../data/volume_store";
import { checkPrecision } from "../gpu/capabilities";
import { type Device, openDevice } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { loadCheckpoint, type Progress } from "../train/checkpoint";
import { makeTrainConfig, PRESETS, type PresetName, type TrainConfig } from "../train/config";
import { INTERRUPTED, watchInterrupt } from "../train/interrupt";
import { duration, trainingProgress } from "../train/progress";
import { runTraining } from "../train/run";
import {
  checkpointPaths,
  createRunFolder,
  defaultRunPath,
  openRunFolder,
  type RunFolder,
  refuseExistingRun,
  truncateMetrics,
} from "../train/run_folder";
import { lockRunFolder } from "../train/run_lock";
import { Trainer } from "../train/trainer";
import { type ValidationPatient, validationPatient } from "../train/validate";
import { ADAPTER_OPTION, makeCommand, say } from "./command";
import { runMain } from "./main";
import {
  bytesOption,
  durationOption,
  listOption,
  numberOption,
  numbersOption,
  type TuneFlags,
  withTuneOptions,
} from "./options";
import { keepChoices, tuneRun } from "./train_tuning";

interface Options extends TuneFlags {
  readonly data?: string;
  readonly preset?: PresetName;
  readonly val?: string[];
  readonly folds?: number;
  readonly fold?: number;
  readonly out?: string;
  readonly resume?: string;
  readonly adapter?: string;
  readonly budget?: number;
  readonly iterations?: number;
  readonly [setting: string]: unknown;
}

/** Between two lines that say how far the preparation is. */
const PREPARATION_LINE_MS = 5000;

const program = makeCommand("train", "Trains the 3D U-Net on pairs of FLAIR scans.")
  .option("--data <dir>", "cohort in the MSSEG-2 layout; without it a phantom cohort is made")
  .option("--preset <name>", "paper, or small (default: small on a software adapter)")
  .option("--val <ids>", "patients that validate, by id, separated by commas", listOption)
  .option("--folds <n>", "split into n folds (default: 4)", numberOption)
  .option("--fold <k>", "the fold that validates (default: 0)", numberOption)
  .option("--out <dir>", "run folder to make (default: runs/<time>-<preset>)")
  .option("--resume <dir>", "go on with the run in this folder")
  .option(...ADAPTER_OPTION)
  .option("--budget <time>", "training time, e.g. 20m or 3h", durationOption)
  .option("--iterations <n>", "iterations instead of a time", numberOption)
  .option("--seed <n>", "seed of the weights, the patches and the split", numberOption)
  .option("--sampler <name>", "ohem (mining) or uniform")
  .option("--positive <p>", "share of patches with a lesion among the sampled", numberOption)
  .option("--pool <n>", "B̄: patches ranked per iteration", numberOption)
  .option("--batch <n>", "B: patches trained on per iteration", numberOption)
  .option("--chunk <n>", "most patches per dispatch: fewer take less memory", numberOption)
  .option("--recompute", "compute blocks again in the backward pass, to save memory")
  .option("--mu <m>", "momentum of the ranking network w̄", numberOption)
  .option("--no-mu-ramp", "use the momentum in full from the first iteration on")
  .option("--learning-rate <r>", "initial learning rate", numberOption)
  .option("--dice-epsilon <e>", "ε of the Dice loss", numberOption)
  .option("--head-prior <p>", "lesion probability that the untrained network says", numberOption)
  .option("--filters <a,b,c>", "filters of the three levels", numbersOption)
  .option("--groups <n>", "groups of the group norm", numberOption)
  .option("--patch <n>", "edge of a patch, voxels", numberOption)
  .option("--stride <n>", "stride of the inference windows, voxels", numberOption)
  .option("--spacing <mm>", "edge of the voxels that the network sees", numberOption)
  .option("--no-align-corners", "upsample as align_corners=False does")
  .option("--normalisation <how>", "z-normalise over the volume, nonzero voxels or a mask")
  .option("--precision <p>", "f32, or f16 to store activations in half the memory")
  .option("--volume-precision <p>", "f32, or f16 for half the device memory")
  .option("--volume-budget <bytes>", "device memory for training volumes, e.g. 8G", bytesOption)
  .option("--time-reversal", "train on the time-swapped twins too (needs resolved.nii.gz)")
  .option("--difference", "give the network visit 2 − visit 1 as a third channel")
  .option("--validate-every <share>", "share of the budget between validations", numberOption)
  .option("--report-every <n>", "iterations between reports", numberOption);
withTuneOptions(program);
program.parse();
await runMain(() => train(program.opts()));

async function train(options: Options): Promise<void> {
  const device = await openDevice({ adapter: options.adapter });
  const memory = new Memory(device);
  const resumed = options.resume === undefined ? undefined : openRunFolder(options.resume);
  if (resumed) lockRunFolder(resumed.path);
  else if (options.out !== undefined) refuseExistingRun(options.out);
  const config = resumed ? resumedConfig(resumed, options) : newConfig(device, options);
  checkPrecision(device, config.precision);
  say(device.describe(config.precision));
  const data = options.data ?? (resumed && (resumed.split as unknown as Split).data);
  const cohort = await openData(config, data);
  const split = resumed ? savedSplit(resumed, cohort) : newSplit(cohort, config, options);
  const { sources, patients } = await prepare(memory, config, split);
  if (!(await tuneRun(device, config, resumed, options))) return;
  const folder = resumed ?? newFolder(cohort, config, split, options);
  keepChoices(device, config, folder);
  const store = VolumeStore.create(memory, sources, {
    half: config.volumePrecision === "f16",
    budget: config.volumeBudget,
    patch: config.patch,
  });
  // Interrupted before its first checkpoint, a run starts again from its seed.
  const checkpointed =
    resumed && existsSync(checkpointPaths(resumed, "last").state) ? resumed : undefined;
  let start: Progress = { iteration: 0, seconds: 0, bestDice: -1 };
  const trainer = await Trainer.create(
    memory,
    store,
    config,
    checkpointed &&
      ((state, specs) => {
        start = loadCheckpoint(memory, state, specs, checkpointPaths(checkpointed, "last"));
        return start.iteration;
      }),
  );
  if (resumed) truncateMetrics(resumed, start.iteration);
  sayPlan(trainer, store, folder, start);
  const budget =
    config.iterations === undefined
      ? { seconds: config.seconds! }
      : { iterations: config.iterations };
  const progress = trainingProgress(budget, config.batch);
  const interrupt = watchInterrupt((line) => progress.note(line));
  const { signal } = interrupt;
  const result = await runTraining({ trainer, folder, patients, start, signal, progress });
  interrupt.dispose();
  sayEnd(folder, result);
}

function newConfig(device: Device, options: Options): TrainConfig {
  const preset = options.preset ?? (device.info.type === "software" ? "small" : "paper");
  if (!(preset in PRESETS)) {
    const names = Object.keys(PRESETS).join(", ");
    throw new UserError(`--preset ${preset}: there is no such preset; there are ${names}`);
  }
  const names = Object.keys(PRESETS.paper).filter((name) => name !== "preset");
  const given = Object.fromEntries(
    [...names, "headPrior"]
      // Flags that are on by default have a value whether given or not.
      .filter((name) => program.getOptionValueSource(name) === "cli")
      .map((name) => [name, options[name]]),
  );
  return makeTrainConfig(preset, { ...given, ...budgetOf(options) });
}

function budgetOf({ budget, iterations }: Options): Pick<TrainConfig, "seconds" | "iterations"> {
  if (budget !== undefined && iterations !== undefined) {
    throw new UserError("--budget and --iterations exclude each other: give one of them");
  }
  return { seconds: budget, iterations };
}

/** A resumed run keeps its settings; only its budget may be changed. */
function resumedConfig(folder: RunFolder, options: Options): TrainConfig {
  const saved = folder.config as TrainConfig;
  const { preset, ...settings } = saved;
  const fixed = Object.keys(options).filter(
    (name) =>
      program.getOptionValueSource(name) === "cli" &&
      !["resume", "adapter", "data", "budget", "iterations", "tune", "tuneSeconds"].includes(name),
  );
  if (fixed.length > 0) {
    throw new UserError(
      `--resume ${folder.path}: a resumed run keeps its settings; leave out ${fixed.join(", ")}`,
    );
  }
  const { seconds, iterations, ...others } = settings;
  const given = budgetOf(options);
  const budget = (given.seconds ?? given.iterations) ? given : { seconds, iterations };
  return makeTrainConfig(preset as PresetName, { ...others, ...budget });
}

interface Split {
  /** Folder of the cohort; absent for the phantom. */
  readonly data?: string;
  readonly train: readonly string[];
  readonly val: readonly string[];
}

async function openData(config: TrainConfig, data: string | undefined): Promise<Cohort> {
  if (data !== undefined) {
    const cohort = await openCohort(data);
    for (const note of cohort.notes) say(note);
    return cohort;
  }
  say("no --data: using the phantom cohort (made once, then kept in the cache)");
  const folder = await ensurePhantom({}, (done, total) => {
    if (done % 5 === 0 || done === total) say(`phantom patient ${done}/${total}`);
  });
  if (config.timeReversal) {
    throw new UserError("--time-reversal: the phantom has no resolved lesions; leave it out");
  }
  return openCohort(folder);
}

interface Arms {
  readonly train: readonly Patient[];
  readonly val: readonly Patient[];
}

function newSplit(cohort: Cohort, config: TrainConfig, options: Options): Arms {
  const { val, folds, fold } = options;
  return splitCohort(cohort.patients, { val, folds, fold, seed: config.seed });
}

function savedSplit(folder: RunFolder, cohort: Cohort): Arms {
  const split = folder.split as unknown as Split;
  const find = (id: string) => {
    const patient = cohort.patients.find((p) => p.id === id);
    if (patient) return patient;
    throw new UserError(
      `${folder.path}: patient ${id} of its split is no longer in ${cohort.root}`,
    );
  };
  return { train: split.train.map(find), val: split.val.map(find) };
}

function newFolder(cohort: Cohort, config: TrainConfig, arms: Arms, options: Options): RunFolder {
  const split: Split = {
    data: options.data === undefined ? undefined : resolve(cohort.root),
    train: arms.train.map(({ id }) => id),
    val: arms.val.map(({ id }) => id),
  };
  const path = options.out ?? defaultRunPath(config.preset);
  const folder = createRunFolder(path, config, { ...split });
  lockRunFolder(path);
  return folder;
}

/** Resamples and normalises everyone, or finds them in the cache. */
async function prepare(
  memory: Memory,
  config: TrainConfig,
  { train, val }: Arms,
): Promise<{ sources: PreparedPatient[]; patients: ValidationPatient[] }> {
  const { spacing, normalisation, timeReversal } = config;
  const sources: PreparedPatient[] = [];
  const patients: ValidationPatient[] = [];
  let shown = performance.now();
  for (const [i, patient] of [...train, ...val].entries()) {
    if (performance.now() - shown > PREPARATION_LINE_MS) {
      say(`prepared ${i} of ${train.length + val.length} patients (kept for the next run)`);
      shown = performance.now();
    }
    const trains = i < train.length;
    const reversed = trains && timeReversal;
    if (reversed && patient.resolved === undefined) {
      throw new UserError(
        `${patient.id}: --time-reversal needs its resolved.nii.gz, the truth of the time-swapped ` +
          "pair; add it, or leave the option out",
      );
    }
    const prepared = await preparePatient(memory, patient, { spacing, normalisation, reversed });
    for (const note of prepared.notes) say(note);
    if (trains) sources.push(prepared);
    else patients.push(await validationPatient(patient, prepared));
  }
  return { sources, patients };
}

function sayPlan(trainer: Trainer, store: VolumeStore, folder: RunFolder, start: Progress): void {
  const { config, program: recorded } = trainer;
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const mining =
    config.sampler === "ohem"
      ? `OHEM B̄ ${config.pool} → B ${config.batch}, μ ${config.mu}`
      : `uniform, B ${config.batch}`;
  say(
    `preset ${config.preset}: filters ${config.filters.join("/")}, ${config.spacing} mm, patches ` +
      `${config.patch}³, ${mining}, ${Math.round(100 * config.positive)} % positive; ` +
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
