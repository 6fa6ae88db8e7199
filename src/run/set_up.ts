/** A trainer with its volumes, from the start of a run or from its last checkpoint. */
import { VolumeStore } from "../data/volume_store";
import type { DeviceChoices } from "../infer/window_batch";
import { GeneratedPool } from "../train/generated_pool";
import { Trainer } from "../train/trainer";
import { lastCheckpoint, loadCheckpoint, type Progress } from "./checkpoint";
import { slotsFor, startWorkers } from "./generated_pairs";
import type { Inputs } from "./run_inputs";
import { putStart } from "./start_weights";
import type { TrainTask } from "./train_task";
import { modelInfo } from "./trained_weights";
import {
  type PatientOutcome,
  predictPatients,
  type ValidationPatient,
  type ValidationTask,
} from "./validate";

export interface SetUp {
  readonly trainer: Trainer;
  readonly store: VolumeStore;
  /** The moment at which it begins. */
  readonly start: Progress;
  /** Whether that is a checkpoint. */
  readonly isSaved: boolean;
  /** Predicts validation patients by its weights. @throws the signal's reason when interrupted */
  predict(task: ValidationTask, patients: readonly ValidationPatient[]): Promise<PatientOutcome[]>;
  /** Ends the workers and gives the device memory back. */
  release(): Promise<void>;
}

/** Tells the ranks how long it computes and exchanges, where it is shared. */
export async function setUp(
  { memory, request: { config, resumed, ranks }, observer, signal }: TrainTask,
  { sources, scans }: Inputs,
  choices: DeviceChoices,
): Promise<SetUp> {
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
    exchange: ranks,
    start: (flat, specs) => putStart(config, flat, specs),
    restore:
      checkpoint &&
      ((state, specs) => {
        start = loadCheckpoint(memory, state, specs, checkpoint, (line) => observer.note(line));
        return start;
      }),
  });
  if (ranks) ranks.events.times = () => trainer.shards?.times ?? { computing: 0, exchanging: 0 };
  const model = modelInfo(config);
  const hooks = { signal, choices, precision: config.precision };
  const predict: SetUp["predict"] = (asked, whom) =>
    predictPatients(memory, trainer.state, model, asked, whom, hooks);
  const release = async () => {
    await workers?.close();
    trainer.release();
    store.release();
  };
  return { trainer, store, start, isSaved: checkpoint !== undefined, predict, release };
}
