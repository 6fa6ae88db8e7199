/**
 * A short training run that every host must do alike: the tiny rig of the tests, volumes made from
 * seeds, no files.
 */

import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { LOG_COLUMNS } from "../train/state";
import { Trainer } from "../train/trainer";
import { tinyConfig, tinyStore } from "./training_rig";

export const ITERATIONS = 20;

/** Chunks of one size: each size has shaders of its own, and software adapters compile slowly. */
const CONFIG = { iterations: ITERATIONS, pool: 10, batch: 5, chunk: 5 };

export interface TrainingCurve {
  /** Dice loss of the student at each iteration, before its step. */
  readonly losses: readonly number[];
  /** Mean error of the pool under the momentum network. */
  readonly poolErrors: readonly number[];
  /** Milliseconds of recording and compiling, and of all iterations. */
  readonly compileMs: number;
  readonly trainMs: number;
}

/**
 * The most that the curves of two hosts may differ: four times the largest difference that was measured
 * between adapters, and less than a learning rate that is wrong by 0.1 % makes (docs/engine/portability.md).
 */
export const CURVE_TOLERANCE = 4e-5;

/** Between the losses, and the pool's errors, of two runs at the same iteration. */
export function largestDifference(a: TrainingCurve, b: TrainingCurve): number {
  const between = (x: readonly number[], y: readonly number[]) =>
    Math.max(...x.map((v, i) => Math.abs(v - y[i]!)));
  return Math.max(between(a.losses, b.losses), between(a.poolErrors, b.poolErrors));
}

/** Trains for {@link ITERATIONS} iterations of Algorithm 1. */
export async function trainingCurve(device: Device): Promise<TrainingCurve> {
  const memory = new Memory(device);
  const start = performance.now();
  const store = tinyStore(memory);
  const trainer = await Trainer.create(memory, store, tinyConfig(CONFIG));
  const compiled = performance.now();
  for (let i = 0; i < ITERATIONS; i++) await trainer.step(i / ITERATIONS);
  await trainer.drain();
  const trained = performance.now();
  const log = await memory.readF32(trainer.state.log);
  const column = (c: number) =>
    Array.from({ length: ITERATIONS }, (_, i) => log[i * LOG_COLUMNS + c]!);
  trainer.release();
  store.release();
  return {
    losses: column(0),
    poolErrors: column(2),
    compileMs: compiled - start,
    trainMs: trained - compiled,
  };
}
