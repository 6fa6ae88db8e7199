/** Trains a network further on one pair that a reader corrected: the part of the worker that knows no messages. */
import { UserError } from "../../core/errors";
import { countNotFinite } from "../../core/finite";
import { niftiStem } from "../../data/file_names";
import { preparePair } from "../../data/preprocess";
import { checksummed, encodeSafetensors, type Safetensors } from "../../data/safetensors";
import type { Mask } from "../../data/volume";
import { VolumeStore } from "../../data/volume_store";
import { labelOnGrid, lesionVoxels } from "../../data/working_grid";
import type { Memory } from "../../gpu/memory";
import type { MatchedPair } from "../../run/matched_pair";
import type { NamedWeights } from "../../run/named_weights";
import { maskOnPair } from "../../run/placed_pair";
import {
  ancestorsOf,
  lineageMetadata,
  putParameters,
  settingsOf,
} from "../../run/start_parameters";
import { trainedWeights } from "../../run/trained_weights";
import { TrainingClock } from "../../run/training_clock";
import { type Budget, TrainingRates } from "../../run/training_rates";
import type { TrainConfig } from "../../settings/config";
import { makeTrainConfig } from "../../settings/presets";
import type { Metrics } from "../../train/metrics";
import { type Statistics, Trainer } from "../../train/trainer";
import type { Learned, WeightsFile } from "./protocol";
import { sha256Of } from "./sha256";

/** Weights to start from, and what their file says of them. */
export interface LearnStart extends NamedWeights, Pick<Safetensors, "metadata"> {
  readonly sha256: string;
}

export interface LearnRequest {
  readonly start: LearnStart;
  readonly placed: MatchedPair;
  /** The corrected mask, on the grid of visit 1. */
  readonly truth: Mask;
  readonly budget: Budget;
  /** Patches of an iteration; absent: the preset's. */
  readonly batch?: number;
}

/** A tenth of a training's usual rate and less: the weights are to change, not to be lost. */
const LEARNING_RATE = 0.0015;
/** Between two reports, ms. */
const REPORT_MS = 250;
/** Entries of the metadata that are made anew, or are true of the start alone; the others are kept. */
const NOT_KEPT = ["format", "model", "lineage", "checkpoint", "about", "calibration"];

/**
 * Trains until the budget is used up or the signal comes; the weights so far are the result either way.
 * @param told gets the statistics of every report
 * @throws UserError where the scans cannot be prepared, or the training diverges
 */
export async function learn(
  memory: Memory,
  request: LearnRequest,
  told: (metrics: Metrics) => void,
  signal: AbortSignal,
): Promise<Learned> {
  const { start, budget } = request;
  const config = configOf(request);
  const source = await sourceOf(memory, request, config);
  const { patch, volumeBudget } = config;
  const store = VolumeStore.create(memory, [source], { half: false, budget: volumeBudget, patch });
  try {
    const trainer = await Trainer.create(memory, store, config, {
      start: (flat, specs) => putParameters(start, "all", flat, specs, start.path),
    });
    try {
      const seconds = await train(trainer, budget, told, signal);
      const flat = await memory.readF32(trainer.state.momentum.flat);
      if (countNotFinite(flat) > 0) throw diverged(trainer.iteration);
      return {
        weights: await fileOf(trainer, flat, start),
        iterations: trainer.iteration,
        seconds,
      };
    } finally {
      trainer.release();
    }
  } finally {
    store.release();
  }
}

/** The network and the preparation are those of the start; the rest is preset best-small for a short time. */
function configOf({ start, budget, batch }: LearnRequest): TrainConfig {
  const own = { weights: start.path, sha256: start.sha256, parts: "all" } as const;
  return makeTrainConfig("best-small", {
    ...settingsOf(start.info),
    ...budget,
    ...{ batch, learningRate: LEARNING_RATE, seed: 1 },
    // Its further heads are random at the start, and the time is too short for them.
    deepSupervision: false,
    lineage: [own, ...ancestorsOf(start, start.path)],
  });
}

/** The pair as the network sees it, with the truth on the same grid. */
async function sourceOf(
  memory: Memory,
  { placed, truth }: LearnRequest,
  { spacing, normalisation }: TrainConfig,
) {
  const { pair, visits } = placed;
  const names = [visits[0].path, visits[1].path] as const;
  const prepared = await preparePair(memory, pair, names, { spacing, normalisation });
  const { grid, visit1, visit2 } = prepared;
  const label = await labelOnGrid(memory, await maskOnPair(memory, placed, truth), grid);
  const load = async () => ({ visit1, visit2, labels: [label] });
  const id = niftiStem(names[1]) ?? names[1];
  return { id, size: grid.size, lesions: [lesionVoxels(label)], load };
}

/** @returns seconds of training */
async function train(
  trainer: Trainer,
  budget: Budget,
  told: (metrics: Metrics) => void,
  signal: AbortSignal,
): Promise<number> {
  const clock = new TrainingClock(0);
  const rates = new TrainingRates(budget, trainer.config.batch);
  const done = () =>
    "iterations" in budget ? trainer.iteration / budget.iterations : clock.seconds / budget.seconds;
  const tell = (metrics: Metrics) => told(rates.measured(metrics));
  let lost: number | undefined;
  const report = () => {
    const learningRate = trainer.learningRate(done());
    return trainer.report(({ iteration, loss, positiveFraction }: Statistics) => {
      if (!Number.isFinite(loss)) lost ??= iteration;
      tell({ iteration, seconds: clock.seconds, loss, learningRate, positiveFraction });
    });
  };
  let reported = 0;
  while (done() < 1 && !signal.aborted) {
    await trainer.step(done());
    if (trainer.iteration === 1) {
      await trainer.drain();
      tell({ iteration: 1, seconds: 0 });
      clock.start();
    }
    if (performance.now() - reported >= REPORT_MS) {
      reported = performance.now();
      await report();
    }
    if (lost !== undefined) throw diverged(lost);
  }
  await report();
  await trainer.drain();
  clock.stop();
  if (lost !== undefined) throw diverged(lost);
  return clock.seconds;
}

const diverged = (iteration: number) =>
  new UserError(
    `learning went wrong: the loss or the weights are not finite at iteration ${iteration}; the weights ` +
      "in use stay as they were",
  );

/** As the command line writes w̄; the thresholds stay those of the start. */
async function fileOf(
  { specs, config, iteration }: Trainer,
  flat: Float32Array,
  { path, metadata }: LearnStart,
): Promise<WeightsFile> {
  const kept = Object.entries(metadata).filter(([name]) => !NOT_KEPT.includes(name));
  const further = { ...Object.fromEntries(kept), ...lineageMetadata(config) };
  const contents = trainedWeights(specs, flat, config, { iteration }, further);
  const checksum = await sha256Of(checksummed(contents));
  const bytes = encodeSafetensors(contents, () => checksum) as Uint8Array<ArrayBuffer>;
  const name = `${path.replace(/(_learned)?\.safetensors$/, "")}_learned.safetensors`;
  return { name, sha256: await sha256Of([bytes]), bytes };
}
