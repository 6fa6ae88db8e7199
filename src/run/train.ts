/** A training run as a function: from its settings to a run folder that is trained, or saved. */
import { UserError } from "../core/errors";
import type { VolumeStore } from "../data/volume_store";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import type { DeviceChoices } from "../infer/window_batch";
import type { Ranks } from "../mpi/ranks";
import { type EndSignal, endSignalOf } from "../platform/interruption";
import type { Trainer } from "../train/trainer";
import { agree, inputFacts, trainerFacts } from "./agreement";
import { type Progress, savedIteration } from "./checkpoint";
import { checkRoom } from "./checkpoint_room";
import { generatedLine } from "./generated_pairs";
import { Lead } from "./lead";
import { orRunLost } from "./lost_run";
import { NewRun } from "./new_run";
import type { Observer } from "./observer";
import { controllerOf } from "./ranks_signal";
import { type RunResult, runTraining } from "./run";
import { chooseForRun, keepChoices } from "./run_choices";
import { type RunFolder, raiseVersion, truncateMetrics } from "./run_folder";
import { type Inputs, inputsOf } from "./run_inputs";
import { type FolderLock, lockRunFolder } from "./run_lock";
import { setUp } from "./set_up";
import type { TrainRequest, TrainTask } from "./train_task";
import type { ValidationTask } from "./validate";

export type { TrainRequest };

export interface TrainResult extends RunResult {
  /** The run folder. */
  readonly path: string;
  /** The signal of the system that interrupted it. */
  readonly endedBy?: EndSignal;
}

/**
 * Trains a new run, or goes on with one, until its budget is used up or the signal comes.
 * @param signal ends the training with everything saved, as the result's `interrupted` says
 * @throws UserError for data, settings or folders that do not fit, and where a rank is lost
 * @throws RunLost where the device is lost; with everything saved up to the last validation
 * @throws the signal's reason where it comes before the run has begun
 */
export async function train(
  device: Device,
  request: TrainRequest,
  observer: Observer,
  signal: AbortSignal = new AbortController().signal,
): Promise<TrainResult> {
  const { config, resumed, out, ranks } = request;
  const controller = controllerOf(signal, ranks);
  const task = { memory: new Memory(device), request, observer, signal: controller.signal };
  const prepared = async (): Promise<Ready> => {
    const inputs = await (ranks ? ranks.firstOfEachMachine(() => inputsOf(task)) : inputsOf(task));
    if (ranks) await agree(ranks, inputFacts(device, config, inputs));
    const choices = await chooseForRun(device, config, resumed, request, observer, task.signal);
    return { inputs, choices, controller };
  };
  if (resumed) {
    const lock = lockRunFolder(resumed.path);
    try {
      return await orRunLost(resumed, async () => trainIn(resumed, lock, task, await prepared()));
    } finally {
      lock.release();
    }
  }
  let run = out === undefined ? undefined : NewRun.in(out);
  try {
    const ready = await prepared();
    run ??= NewRun.named(config.preset);
    const { lock } = run;
    const folder = run.begin(config, ready.inputs.split);
    return await orRunLost(folder, () => trainIn(folder, lock, task, ready));
  } finally {
    run?.release();
  }
}

/** What a training needs before its folder is touched. */
interface Ready {
  readonly inputs: Inputs;
  readonly choices: DeviceChoices;
  /** Aborted by the caller's signal, and by what comes from other ranks. */
  readonly controller: AbortController;
}

async function trainIn(
  folder: RunFolder,
  lock: FolderLock,
  task: TrainTask,
  { inputs, choices, controller }: Ready,
): Promise<TrainResult> {
  const { memory, observer, signal } = task;
  const { config, resumed, ranks } = task.request;
  const { patients, scans } = inputs;
  if (resumed) raiseVersion(resumed);
  observer.onFolder?.(folder.path);
  const variants = keepChoices(memory.device, choices, config, folder, observer);
  if (ranks) await ranks.broadcastValue(variants);
  const { trainer, store, start, isSaved, predict, release } = await setUp(task, inputs, choices);
  try {
    checkRoom(folder, trainer.specs, isSaved ? 1 : 2);
    if (resumed) resumeMetrics(resumed, start, observer);
    for (const line of planLines(trainer, store, folder, start)) observer.note(line);
    if (scans.length > 0) observer.note(generatedLine(config, scans.length));
    const lead = ranks && new Lead({ ranks, patients, predict, controller }, config);
    if (ranks) await agree(ranks, await trainerFacts(memory, trainer));
    const validate = lead
      ? (asked: ValidationTask) => lead.validate(asked)
      : (asked: ValidationTask) => predict(asked, patients);
    const run = { trainer, folder, lock, patients, validate, lead, start, observer, signal };
    const result = await orRankLost(folder, ranks, () => runTraining(run));
    await lead?.end();
    const endedBy = result.interrupted ? endSignalOf(signal) : undefined;
    return { path: folder.path, ...result, endedBy };
  } finally {
    await release();
  }
}

/** @throws UserError where a rank was lost, which says how to go on */
async function orRankLost<T>(
  run: RunFolder,
  ranks: Ranks | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    const result = await work();
    if (!ranks?.lost) return result;
  } catch (error) {
    if (!ranks?.lost) throw error;
  }
  throw new UserError(
    `${ranks.lost.message}; the run is saved up to iteration ${savedIteration(run)}: go on by the same ` +
      `command with --resume ${run.path}`,
  );
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
