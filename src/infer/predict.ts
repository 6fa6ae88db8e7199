/** From two visits to a lesion mask on the first visit's own grid. */
import { sameGrid } from "../data/affine";
import { resampleOnDevice } from "../data/preprocess";
import type { Grid, Mask, Volume } from "../data/volume";
import type { VolumeSource } from "../data/volume_store";
import { capabilities } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { patchesPerDispatch } from "../nn/unet3d";
import type { ModelInfo } from "./model";
import { type Network, predictVolume, type SlidingWindowOptions } from "./sliding_window";

/** Probabilities of at least this are lesion. */
export const THRESHOLD = 0.5;

/** Windows per run of the network: enough to fill the adapter. */
function windowBatch(memory: Memory, { unet, patch }: ModelInfo): number {
  const { maxBindingBytes, kind } = capabilities(memory.device);
  return patchesPerDispatch(unet, patch, maxBindingBytes, kind === "hardware" ? 32 : 8);
}

export type Hooks = Pick<SlidingWindowOptions, "onProgress" | "signal">;

/**
 * Probability map on `native`: predicted on the network's grid, averaged over windows, and mapped
 * back trilinearly.
 * @param source the prepared visits, on grid `grid`
 */
export async function predictProbability(
  memory: Memory,
  network: Network,
  model: ModelInfo,
  source: VolumeSource,
  grid: Grid,
  native: Grid,
  hooks: Hooks = {},
): Promise<Volume> {
  const { patch, stride } = model;
  const batch = windowBatch(memory, model);
  const data = await predictVolume(memory, network, source, { patch, stride, batch, ...hooks });
  const { size, affine } = native;
  if (sameGrid(grid, native)) return { size, affine, data };
  const mapped = await resampleOnDevice(memory, data, grid, native, "trilinear");
  return { size, affine, data: mapped };
}

/** 1 where the probability reaches the threshold. */
export function thresholded({ size, affine, data }: Volume, threshold = THRESHOLD): Mask {
  return { size, affine, data: Uint8Array.from(data, (p) => (p >= threshold ? 1 : 0)) };
}
