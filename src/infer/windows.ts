/** Places the windows of a sliding-window prediction, and counts the windows over each voxel. */
import type { Size3 } from "../data/volume";
import type { VolumeStore } from "../data/volume_store";
import type { WindowWeights } from "../settings/names";

/** First voxel of a window: z, y, x. */
export type Window = readonly [z: number, y: number, x: number];

/**
 * Window starts along one axis: every `stride` voxels, the last flush with the edge; [0] where the
 * axis is no longer than a window (which is then padded at its end).
 */
export function windowStarts(size: number, patch: number, stride: number): number[] {
  const last = size - patch;
  const starts: number[] = [];
  for (let at = 0; at < last; at += stride) starts.push(at);
  starts.push(Math.max(0, last));
  return starts;
}

/** All windows of a volume, x fastest. */
export function windowGrid(size: Size3, patch: number, stride: number): Window[] {
  const [xs, ys, zs] = size.map((n) => windowStarts(n, patch, stride));
  return zs!.flatMap((z) => ys!.flatMap((y) => xs!.map((x): Window => [z, y, x])));
}

/** σ of the Gaussian, as a share of the window's edge (nnU-Net: Isensee et al. 2021). */
const SIGMA = 1 / 8;

/**
 * Weight of each position along one axis of a window, at most 1; a voxel's weight is the product of
 * its three. The Gaussian is symmetric about the window's centre. Its border lies less than 4 σ from
 * there: no weight is below e⁻⁸ of the centre's, nor a product below 4·10⁻¹¹, far from underflow.
 */
export function windowProfile(patch: number, weights: WindowWeights): Float32Array {
  if (weights === "uniform") return new Float32Array(patch).fill(1);
  const offsets = Array.from({ length: patch }, (_, i) => (i - (patch - 1) / 2) / (SIGMA * patch));
  const values = offsets.map((t) => Math.exp((-t * t) / 2));
  const most = Math.max(...values);
  return Float32Array.from(values, (value) => value / most);
}

/**
 * Sum of the windows' weights over each position of one axis; that of a voxel is the product of its
 * three.
 */
export function coverage(
  size: number,
  patch: number,
  stride: number,
  profile: Float32Array,
): Float32Array {
  const sums = new Float64Array(size);
  for (const start of windowStarts(size, patch, stride)) {
    for (let i = start; i < Math.min(size, start + patch); i++) sums[i]! += profile[i - start]!;
  }
  return Float32Array.from(sums);
}

/** Numbers in a row of window positions for kernels. */
export const COLUMNS = 4;

/** Row of the volume table, then z in it, y, x: in the first slab that holds the whole window. */
export function locate(store: VolumeStore, [z, y, x]: Window, patch: number): number[] {
  const slabs = store.resident;
  const slab = slabs.find((s) => z + patch <= s.z0 + s.size[2]) ?? slabs.at(-1)!;
  return [slab.row, z - slab.z0, y, x];
}
