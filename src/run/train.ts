/** A training run as a function: from its settings to a run folder that is trained, or saved. */
import type { TuneFlags } from "../choose/tune_options";
import type { PreparedPatient } from "../data/prepared_cache";
import { VolumeStore } from "../data/volume_store";
import { checkPrecision } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import type { DeviceChoices } from "../infer/window_batch";
import type { TrainConfig } from "../settings/config";
import type { Source } from "../synthesis/sources";
import { GeneratedPool } from "../train/generated_pool";
import { Trainer } from "../train/trainer";
import { lastCheckpoint, loadCheckpoint, type Progress } from "./checkpoint";
import { checkRoom } from "./checkpoint_room";
import { CohortPairs } from "./cohort_pairs";
import { pairsOfFolders, syntheticPairs } from "./extra_pairs";
import { generatedLine, scansToUse, slotsFor, startWorkers } from "./generated_pairs";
import { lesionLines } from "./lesion_counts";
import { orRunLost } from "./lost_run";
import { NewRun } from "./new_run";
import type { Observer } from "./observer";
import { type RunResult, runTraining } from "./run";
import { chooseForRun, keepChoices } from "./run_choices";
import { type RunFolder, raiseVersion, truncateMetrics } from "./run_folder";
import { type FolderLock, lockRunFolder } from "./run_lock";
import type { SavedSplit } from "./saved_split";
import { putStart, seenBefore } from "./start_weights";
import {
  checkTwins,
  type DataRequest,
  newSplit,
  openData,
  prepare,
  savedSplit,
  splitOf,
} from "./training_data";
import type { ValidationPatient } from "./validate";

export interface TrainRequest extends DataRequest, TuneFlags {
  readonly config: TrainConfig;
  /** The run to go on with, whose settings `config` repeats but for the budget; absent: a new one. */
  readonly resumed?: RunFolder;
  /** Folder of a new run: in runs/ if absent. */
  readonly out?: string;
}

export interface TrainResult extends RunResult {
  /** The run folder. */
  readonly path: string;
}

/**
 * Trains a new run, or goes on with one, until its budget is used up or the signal comes.
 * @param signal ends the training with everything saved, as the result's `interrupted` says
 * @throws UserError for data, settings or folders that do not fit
 * @throws RunLost where the device is lost; with everything saved up to the last validation
 * @throws the signal's reason where it comes before the run has begun
 */
export async function train(
  device: Device,
  request: TrainRequest,
  observer: Observer,
  signal: AbortSignal = new AbortController().signal,
): Promise<TrainResult> {
  const { config, resumed, out } = request;
  const task = { memory: new Memory(device), request, observer, signal };
  if (resumed) {
    const lock = lockRunFolder(resumed.path);
    try {
      return await orRunLost(resumed, async () =>
        trainIn(resumed, lock, task, await inputsOf(task)),
      );
    } finally {
      lock.release();
    }
  }
  let run = out === undefined ? undefined : NewRun.in(out);
  try {
    const inputs = await inputsOf(task);
    run ??= NewRun.named(config.preset);
    const { lock } = run;
    const folder = run.begin(config, inputs.split);
    return await orRunLost(folder, () => trainIn(folder, lock, task, inputs));
  } finally {
    run?.release();
  }
}

interface TrainTask {
  readonly memory: Memory;
  readonly request: TrainRequest;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

interface Inputs {
  readonly split: SavedSplit;
  /** Who trains. */
  readonly sources: readonly PreparedPatient[];
  /** Who validates. */
  readonly patients: readonly ValidationPatient[];
  readonly choices: DeviceChoices;
  /** Scans that pairs are generated of while it trains. */
  readonly scans: readonly Source[];
}

/** The data, prepared, and the kernels. */
async function inputsOf({ memory, request, observer, signal }: TrainTask): Promise<Inputs> {
  const { config, resumed } = request;
  const { device } = memory;
  checkPrecision(device, config.precision);
  observer.note(device.describe(config.precision));
  const saved = resumed?.split;
  const cohort = await openData(config, request.data ?? saved?.data ?? undefined, observer);
  const arms = resumed ? savedSplit(resumed, cohort) : newSplit(cohort, config, request);
  checkTwins(config, arms);
  const seen = seenBefore(config, arms);
  if (seen !== undefined) observer.note(seen);
  const folders = saved?.trainData ?? request.trainData ?? [];
  const generate = saved?.generate ?? request.generate ?? [];
  const scans = scansToUse(generate, config, arms, observer);
  const pairs = new CohortPairs(memory, config, observer);
  const given = await pairsOfFolders(folders, arms, observer);
  await pairs.check([...arms.train, ...given, ...arms.val], signal);
  const synthetic = await syntheticPairs(config, arms, observer, signal);
  const extra = { given, synthetic };
  const prepared = await prepare(memory, config, arms, extra, pairs, observer, signal);
  const more = given.length + synthetic.length;
  for (const line of lesionLines(config, prepared, more)) observer.note(line);
  const choices = await chooseForRun(device, config, resumed, request, observer, signal);
  return { split: splitOf(cohort, arms, request), ...prepared, choices, scans };
}

async function trainIn(
  folder: RunFolder,
  lock: FolderLock,
  { memory, request: { config, resumed }, observer, signal }: TrainTask,
  { sources, patients, choices, scans }: Inputs,
): Promise<TrainResult> {
  if (resumed) raiseVersion(resumed);
  observer.onFolder?.(folder.path);
  keepChoices(memory.device, choices, config, folder, observer);
  const store = VolumeStore.create(memory, sources, {
    half: config.volumePrecision === "f16",
    budget: config.volumeBudget,
    patch: config.patch,
    statistics: config.augment.length > 0,
    slots: scans.length > 0 ? slotsFor(config) : undefined,
  });
  const workers = scans.length > 0 ? startWorkers(scans, config) : undefined;
  // Interrupted before its first checkpoint, a run starts again from its seed.
  const checkpoint = resumed && lastCheckpoint(resumed);
  let start: Progress = { iteration: 0, seconds: 0 };
  const trainer = await Trainer.create(memory, store, config, {
    generated: workers && new GeneratedPool(store, workers, config.generatedRefresh),
    kernels: choices.kernels,
    start: (flat, specs) => putStart(config, flat, specs),
    restore:
      checkpoint &&
      ((state, specs) => {
        start = loadCheckpoint(memory, state, specs, checkpoint, (line) => observer.note(line));
        return start;
      }),
  });
  try {
    checkRoom(folder, trainer.specs, checkpoint ? 1 : 2);
    if (resumed) resumeMetrics(resumed, start, observer);
    for (const line of planLines(trainer, store, folder, start)) observer.note(line);
    if (workers) observer.note(generatedLine(config, scans.length));
    const run = { trainer, folder, lock, patients, choices, start, observer, signal };
    return { path: folder.path, ...(await runTraining(run)) };
  } finally {
    await workers?.close();
    trainer.release();
    store.release();
  }
}

/** Reports that came after the checkpoint are made again; those before it may be gone. */
function resumeMetrics(folder: RunFolder, start: Progress, observer: Observer): void {
  const last = truncateMetrics(folder, start.iteration);
  const { iteration, reported = iteration } = start;
  if (last >= reported) return;
  observer.note(
    `${folder.path}: metrics.jsonl ends at iteration ${last}; its reports up to iteration ${reported} ` +
      "are lost",
  );
}

/** What will be trained, and where it goes. */
function planLines(
  { config, stats }: Trainer,
  store: VolumeStore,
  folder: RunFolder,
  start: Progress,
): string[] {
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const { selection, miningError } = config;
  const mining =
    config.sampler === "ohem"
      ? `OHEM B̄ ${config.pool} → B ${config.batch} (${selection} by ${miningError}), μ ${config.mu}`
      : `uniform, B ${config.batch}`;
  const rotation = store.complete ? "" : " (not all fit --volume-budget: patients rotate)";
  const from = start.iteration > 0 ? `, resumed at iteration ${start.iteration}` : "";
  return [
    `preset ${config.preset}: filters ${config.filters.join("/")}, ${config.spacing} mm, patches ` +
      `${config.patch}³, loss ${config.loss}, ${mining}, ${Math.round(100 * config.positive)} % ` +
      `positive; ${stats.dispatches} dispatches an iteration, ` +
      `${mib(stats.plannedBytes)} of activations, ${mib(store.deviceBytes)} of volumes` +
      rotation,
    `run folder ${folder.path}${from}; the first iteration compiles the kernels`,
  ];
}
