/**
 * Overlap-averaged inference (the paper: windows of 32 on a grid of stride 24, overlapping
 * predictions averaged), as an average over windows, mirrored windows and networks. Windows whose
 * input is constant give one prediction per distinct input: it is computed once. Everything stays on
 * the device until the averaged volume is read.
 */
import { overlapDivide } from "../../kernels/windows/overlap_divide";
import { state, type Tensor } from "../core/tensor";
import { DeviceVolume } from "../data/device_volume";
import type { Size3 } from "../data/volume";
import { type DeviceSource, type VolumeSource, VolumeStore } from "../data/volume_store";
import { graphFor } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { constantKeys } from "./constant_windows";
import { flipsOf } from "./mirror";
import type { BatchedNetwork, Network, Stage, WindowOptions } from "./window_options";
import { WindowPass } from "./window_pass";
import { coverage, windowGrid, windowProfile } from "./windows";

export type SlidingWindowOptions = WindowOptions & Omit<BatchedNetwork, "network">;

/** A pair on the device, or in pages on its way there. */
export interface StoredSource {
  readonly store: VolumeStore;
  readonly size: Size3;
}

/**
 * Probabilities on the grid of `source`, x fastest.
 * @throws the signal's reason when interrupted
 */
export async function predictVolume(
  memory: Memory,
  network: Network,
  source: VolumeSource | DeviceSource,
  options: SlidingWindowOptions,
): Promise<Float32Array> {
  const stored = storeSource(memory, source, options.patch);
  try {
    const networks = [{ ...options, network }];
    const mean = await predictOnDevice(memory, networks, stored, options);
    try {
      return await mean.read();
    } finally {
      mean.release();
    }
  } finally {
    stored.store.release();
  }
}

/** Room on the device for a pair whose windows have at most this edge. */
export function storeSource(
  memory: Memory,
  source: VolumeSource | DeviceSource,
  patch: number,
): StoredSource {
  const stored = { half: false, budget: Number.MAX_SAFE_INTEGER, patch };
  return { store: VolumeStore.create(memory, [source], stored), size: source.size };
}

/** Windows that a network predicts, each as often as it is mirrored. */
export function predictionCount(size: Size3, { patch, stride, mirror }: WindowOptions): number {
  return windowGrid(size, patch, stride).length * flipsOf(mirror ?? "").length;
}

/**
 * The mean over networks that share windows; the volume stays on the device, and the caller releases
 * it.
 */
export async function predictOnDevice(
  memory: Memory,
  networks: readonly BatchedNetwork[],
  { store, size }: StoredSource,
  options: WindowOptions,
): Promise<DeviceVolume> {
  const { patch, stride, onProgress, onStage } = options;
  const ended = async (stage: Stage) => {
    if (!onStage) return;
    await memory.device.idle();
    onStage(stage);
  };
  const windows = windowGrid(size, patch, stride);
  const sum = new DeviceVolume(memory, "sum", size);
  const total = networks.length * predictionCount(size, options);
  let done = 0;
  const onWindows = (count: number) => {
    done += count;
    onProgress?.(done, total);
  };
  try {
    await store.rotateTo(0);
    await ended("volumes");
    const keys = await constantKeys(memory, store, windows, patch);
    await ended("constant windows");
    for (const network of networks) {
      const pass = new WindowPass(memory, store, sum, network.batch, options);
      try {
        await pass.compile(network);
        await pass.run(windows, keys, onWindows);
      } finally {
        pass.release();
      }
    }
    await divide(memory, sum, total / windows.length, options);
    await ended("mean");
    return sum;
  } catch (error) {
    sum.release();
    throw error;
  }
}

/** Divides the sums by each voxel's weights, which `passes` predictions had. */
async function divide(
  memory: Memory,
  sum: DeviceVolume,
  passes: number,
  { patch, stride, windowWeights = "uniform" }: WindowOptions,
): Promise<void> {
  const profile = windowProfile(patch, windowWeights);
  const tensors: Record<string, Tensor> = {};
  for (const [axis, n] of sum.size.entries()) {
    const name = ["weightX", "weightY", "weightZ"][axis]!;
    const weights = coverage(n, patch, stride, profile);
    tensors[name] = state(name, [n]);
    memory.write(tensors[name], axis === 2 ? weights.map((w) => passes * w) : weights);
  }
  const g = graphFor(memory.device);
  for (const { z0, tensor } of sum.slabs) {
    g.apply(overlapDivide, { ...tensors, sum: tensor }, { z0 });
  }
  const program = await Program.compile(memory, g, "overlap_divide");
  program.run();
  program.destroy();
  for (const t of Object.values(tensors)) memory.release(t);
}
