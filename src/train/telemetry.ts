/**
 * The telemetry of mining, per report (docs/guides/mining.md defines each number): from the log that
 * every iteration writes, and with --telemetry full from a program of its own, which ranks the pool
 * under three networks before the last iteration of a report.
 */

import { NO_CORRELATION, rankCorrelation } from "../../kernels/mining/rank_correlation";
import { sharedIndices } from "../../kernels/mining/shared_indices";
import { logValues } from "../../kernels/rows/log_values";
import { writeSlice } from "../../kernels/rows/write_slice";
import type { Graph } from "../core/graph";
import type { FlatParameters } from "../nn/weights";
import type { TrainConfig } from "../settings/config";
import type { MiningTelemetry } from "./metrics";
import { selectPatches } from "./mining";
import { Recorder, type RecordingMemory, type RecordingStore } from "./recorder";
import {
  hasFullTelemetry,
  LOG_COLUMNS,
  LOG_ROWS,
  TELEMETRY_COLUMN,
  type TrainState,
} from "./state";

const FULL_COLUMN = TELEMETRY_COLUMN + 1;

const hasRanks = ({ sampler }: TrainConfig) => sampler === "ohem";

/** Whether the full telemetry belongs to iteration `t` (from 0). */
export const isDue = (t: number, { reportEvery }: TrainConfig) => (t + 1) % reportEvery === 0;

/** Records what --telemetry full adds: it goes before an iteration, with its positions and scalars. */
export function recordTelemetry(
  g: Graph,
  memory: RecordingMemory,
  store: RecordingStore,
  train: TrainState,
  earlier: FlatParameters,
  config: TrainConfig,
): void {
  const recorder = new Recorder(g, memory, store, config);
  const { coords, step, log } = train;
  g.noGrad(() => {
    const [now, student, before] = [train.momentum, train.student, earlier].map((params) => {
      const pool = recorder.errors(params, coords);
      return { errors: pool.errors, indices: selectPatches(g, pool, step, config) };
    });
    const values = [
      g.apply(rankCorrelation, { a: now!.errors, b: student!.errors }, {}).y!,
      g.apply(sharedIndices, { a: now!.indices, b: student!.indices }, {}).y!,
      g.apply(sharedIndices, { a: now!.indices, b: before!.indices }, {}).y!,
    ];
    for (const [i, y] of values.entries()) {
      g.apply(logValues, { values: y, step, log }, { column: FULL_COLUMN + i });
    }
    g.apply(writeSlice, { dst: earlier.flat, src: train.momentum.flat }, { offset: 0 });
  });
}

/** Of the log's last `count` iterations, the last of which is number `iteration` (from 1). */
export function miningTelemetry(
  log: Float32Array,
  iteration: number,
  count: number,
  config: TrainConfig,
): MiningTelemetry {
  const at = (t: number, column: number) => log[(t % LOG_ROWS) * LOG_COLUMNS + column]!;
  const mean = (column: number) => {
    const values = Array.from({ length: count }, (_, i) => at(iteration - 1 - i, column));
    const there = values.filter((v) => v !== NO_CORRELATION);
    return there.length > 0 ? there.reduce((a, b) => a + b, 0) / there.length : undefined;
  };
  const gradients = { gradientLesion: mean(8), gradientOther: mean(9), gradientEmpty: mean(10) };
  if (!hasRanks(config)) return gradients;
  const ranked = { ...gradients, selectedAgreement: mean(TELEMETRY_COLUMN) };
  const due = iteration - (iteration % config.reportEvery);
  if (!hasFullTelemetry(config) || due <= iteration - count) return ranked;
  const full = (column: number) => at(due - 1, FULL_COLUMN + column);
  const correlation = full(0);
  return {
    ...ranked,
    poolAgreement: correlation === NO_CORRELATION ? undefined : correlation,
    selectionAgreement: full(1),
    selectionOverlap: full(2),
  };
}
