/** From two visits to a lesion mask on the first visit's own grid. */
import { sameGrid } from "../data/affine";
import type { DeviceVolume } from "../data/device_volume";
import { DeviceResampler } from "../data/resample_device";
import type { Grid, Mask, Volume } from "../data/volume";
import type { DeviceSource, VolumeSource } from "../data/volume_store";
import type { Memory } from "../gpu/memory";
import type { ModelInfo } from "./model";
import {
  type Network,
  predictOnDevice,
  type SlidingWindowOptions,
  type Stage,
} from "./sliding_window";
import { windowBatch } from "./window_batch";

/** Probabilities of at least this are lesion. */
export const THRESHOLD = 0.5;

export interface PredictOptions
  extends Pick<SlidingWindowOptions, "onProgress" | "signal" | "precision"> {
  /** Most windows per run of the network, instead of the tuned number or the default. */
  readonly batch?: number;
  /** Called when the device has ended a stage, or a part of one. */
  readonly onStage?: (stage: Stage | "mapping back") => void;
}

/**
 * Probability map on `native`: predicted on the network's grid, averaged over windows, and mapped
 * back trilinearly, all on the device.
 * @param source the prepared visits, on grid `grid`
 */
export async function predictProbability(
  memory: Memory,
  network: Network,
  model: ModelInfo,
  source: VolumeSource | DeviceSource,
  grid: Grid,
  native: Grid,
  options: PredictOptions = {},
): Promise<Volume> {
  const { patch, stride, difference } = model;
  const batch = windowBatch(
    memory.device,
    { ...model, precision: options.precision },
    options.batch,
  );
  const windows = { ...options, patch, stride, batch, difference };
  const mean = await predictOnDevice(memory, network, source, windows);
  try {
    const data = await onGrid(memory, mean, grid, native);
    options.onStage?.("mapping back");
    return { size: native.size, affine: native.affine, data };
  } finally {
    mean.release();
  }
}

/** A volume on grid `from`, on the host and on grid `to`. */
async function onGrid(memory: Memory, volume: DeviceVolume, from: Grid, to: Grid) {
  if (sameGrid(from, to)) return volume.read();
  const resampler = await DeviceResampler.create(memory, from, to, "trilinear");
  try {
    return await resampler.read((first, count, target) => volume.copyPlanes(first, count, target));
  } finally {
    resampler.release();
  }
}

/** 1 where the probability reaches the threshold. */
export function thresholded({ size, affine, data }: Volume, threshold = THRESHOLD): Mask {
  const mask = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) mask[i] = data[i]! >= threshold ? 1 : 0;
  return { size, affine, data: mask };
}
