/** Predicts a probability map on the first visit's own grid from prepared visits. */
import { UserError } from "../core/errors";
import { countNotFinite } from "../core/finite";
import { sameGrid } from "../data/affine";
import type { DeviceVolume } from "../data/device_volume";
import { DeviceResampler } from "../data/resample_device";
import type { Grid, Size3, Volume } from "../data/volume";
import type { DeviceSource, VolumeSource } from "../data/volume_store";
import { gridInOrder, inOrder, inverseOrder } from "../data/voxel_order";
import { workingOrder } from "../data/working_grid";
import type { Memory } from "../gpu/memory";
import { grouped } from "./grouped";
import type { ModelInfo } from "./model_info";
import { predictionCount, predictOnDevice, storeSource } from "./sliding_window";
import { WeightedMean } from "./weighted_mean";
import { type DeviceChoices, type WindowModel, windowBatch } from "./window_batch";
import type { Network, Stage, WindowOptions } from "./window_options";

/** A network of an ensemble and what its weights file says of it. */
export interface Member {
  readonly network: Network;
  readonly model: ModelInfo;
}

export interface PredictOptions extends Pick<WindowOptions, "onProgress" | "signal" | "precision"> {
  /** What the device is known to run fastest: the defaults if absent. */
  readonly choices?: DeviceChoices;
  /** Most windows per run of a network, instead of the tuned number or the default. */
  readonly batch?: number;
  /** Called when the device has ended a stage, or a part of one. */
  readonly onStage?: (stage: Stage | "mapping back") => void;
}

/**
 * Probability map on `native`: the mean over networks that see one preparation, each averaged over
 * its windows on the network's grid and mapped back trilinearly, all on the device. Networks with
 * the same windows are summed there; the others are averaged on the host.
 * @throws UserError when a probability is not finite
 * @param source the prepared visits, on grid `grid`
 */
export async function predictProbability(
  memory: Memory,
  members: readonly Member[],
  source: VolumeSource | DeviceSource,
  grid: Grid,
  native: Grid,
  options: PredictOptions = {},
): Promise<Volume> {
  const { choices, precision, onStage } = options;
  const batchFor = (model: WindowModel) =>
    windowBatch(memory.device, model, options.batch ?? choices?.windowBatch?.(model));
  const runs = grouped(members, ({ model }) => windowsOf(model));
  const stored = storeSource(memory, source, Math.max(...members.map((m) => m.model.patch)));
  const sum = new WeightedMean();
  const total = predictionTotal(source.size, members);
  let before = 0;
  const onProgress = (done: number) => options.onProgress?.(before + done, total);
  try {
    for (const run of runs) {
      const networks = run.map(({ network, model }) => ({
        network,
        difference: model.difference,
        batch: batchFor({ ...model, precision }),
      }));
      const kernels = choices?.kernels;
      const windows = { ...options, ...run[0]!.model, kernels, onProgress };
      const mean = await predictOnDevice(memory, networks, stored, windows);
      try {
        sum.add(await onNative(memory, mean, grid, native), run.length);
      } finally {
        mean.release();
      }
      before += predictionTotal(source.size, run);
      onStage?.("mapping back");
    }
  } finally {
    stored.store.release();
  }
  const map = { size: native.size, affine: native.affine, data: sum.mean };
  refuseNotFinite(map);
  return map;
}

/** NaN is less than no threshold: such a map would be judged as one without lesions. */
function refuseNotFinite({ data }: Volume): void {
  const bad = countNotFinite(data);
  if (bad === 0) return;
  throw new UserError(
    `the probability map is NaN or infinite at ${bad} of ${data.length} voxels, so nothing can be said ` +
      "of lesions: use other weights, or --precision f32 where f16 was asked for",
  );
}

/** Windows that all members predict together, on a grid of this size. */
export function predictionTotal(size: Size3, members: readonly Member[]): number {
  return members.reduce((sum, { model }) => sum + predictionCount(size, model), 0);
}

/** Equal for models whose predictions have the same windows. */
const windowsOf = ({ patch, stride, windowWeights, mirror }: ModelInfo) =>
  JSON.stringify([patch, stride, windowWeights, mirror]);

/** A volume on working grid `from`, on the host and on the grid of the image, in its order. */
async function onNative(memory: Memory, volume: DeviceVolume, from: Grid, native: Grid) {
  const order = workingOrder(native.affine);
  const to = gridInOrder(native, order);
  const data = sameGrid(from, to) ? await volume.read() : await resampled(memory, volume, from, to);
  return inOrder({ ...to, data }, inverseOrder(order)).data;
}

async function resampled(memory: Memory, volume: DeviceVolume, from: Grid, to: Grid) {
  const resampler = await DeviceResampler.create(memory, from, to, "trilinear");
  try {
    return await resampler.read((first, count, target) => volume.copyPlanes(first, count, target));
  } finally {
    resampler.release();
  }
}
