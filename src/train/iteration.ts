/**
 * One iteration of Algorithm 1, recorded once: gather the pool, rank it under w̄, select the top B,
 * gather those, train w on them, Adam, EMA. Sampled positions and a few scalars are all that is
 * uploaded per iteration; nothing is read back inside it.
 */

import { lossScale } from "../../kernels/loss/loss_scale";
import { batchStats } from "../../kernels/mining/batch_stats";
import { rankCorrelation } from "../../kernels/mining/rank_correlation";
import { adam } from "../../kernels/optimiser/adam";
import { logValues } from "../../kernels/rows/log_values";
import { takeRows } from "../../kernels/rows/take_rows";
import type { Graph } from "../core/graph";
import type { Tensor } from "../core/tensor";
import type { TrainConfig } from "../settings/config";
import { selectPatches } from "./mining";
import { Recorder, type RecordingMemory, type RecordingStore, type Trained } from "./recorder";
import { ADAM } from "./schedule";
import { TELEMETRY_COLUMN, type TrainState } from "./state";

export interface Iteration {
  /** Selected patches, in the order of selectPatches: (B) u32; absent for the uniform sampler. */
  readonly indices?: Tensor;
  /** Error of every sampled patch under w̄: (B̄). */
  readonly errors: Tensor;
  /** Loss of each trained patch: (B). */
  readonly loss: Tensor;
}

/** Records one iteration into `g`. */
export function recordIteration(
  g: Graph,
  memory: RecordingMemory,
  store: RecordingStore,
  train: TrainState,
  config: TrainConfig,
): Iteration {
  const recorder = new Recorder(g, memory, store, config);
  let coords = train.coords;
  let errors: Tensor | undefined;
  let indices: Tensor | undefined;
  if (config.sampler === "ohem") {
    const pool = g.noGrad(() => recorder.errors(train.momentum, coords));
    errors = pool.errors;
    indices = selectPatches(g, pool, train.step, config);
    coords = g.apply(takeRows, { rows: coords, indices }, {}).y!;
  }
  const trained = recorder.train(train, coords);
  const pool = errors && indices && { errors, indices };
  recordUpdate(g, train, trained, pool);
  const { loss } = trained;
  return { indices, errors: errors ?? loss, loss };
}

/**
 * Records what follows from the gradient of the whole batch, in `train.gradient`: Adam, the average, a
 * row of the log.
 * @param pool errors of the whole pool and the places in it of the batch, where patches are ranked
 */
export function recordUpdate(
  g: Graph,
  train: TrainState,
  { loss, sums, gradients, errors: own }: Trained,
  pool: Pick<Required<Iteration>, "errors" | "indices"> | undefined,
): void {
  const { flat: w } = train.student;
  const { m, v, step, log } = train;
  const scaled = train.scale && { scale: train.scale };
  if (scaled) g.apply(lossScale, { g: train.gradient.flat, ...scaled }, {});
  const { beta1, beta2, epsilon: eps } = ADAM;
  const moments = { g: train.gradient.flat, m, v, average: train.momentum.flat };
  g.apply(adam, { w, ...moments, step, ...scaled }, { beta1, beta2, eps });
  const stats = { loss, sums, errors: pool?.errors ?? loss, gradients, step, log, ...scaled };
  g.apply(batchStats, stats, {});
  if (!pool || !own) return;
  const ranks = { a: pool.errors, at: pool.indices, b: own };
  const values = g.apply(rankCorrelation, ranks, {}).y!;
  g.apply(logValues, { values, step, log }, { column: TELEMETRY_COLUMN });
}
