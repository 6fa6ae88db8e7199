import { voxelVolume } from "../data/affine";
import { type Mask, type Volume, voxelSize } from "../data/volume";
import { connectedComponents } from "../eval/components";
import { quantile } from "../eval/statistics";

/** Lesions that are new or brighter at visit 2, and those that are brighter at visit 1. */
export interface LesionChange {
  readonly appeared: Mask;
  readonly resolved: Mask;
}

/** The rule that splits a mask of changes of either direction. */
export interface ChangeRule {
  /** Standard deviation of the Gaussian that smooths the difference. */
  readonly smoothingMm: number;
  /** Difference, in interquartile ranges of the brain, from which a voxel counts as changed. */
  readonly threshold: number;
  /** Components that are smaller are dropped. */
  readonly minVolumeMm3: number;
}

export const CHANGE_RULE: ChangeRule = { smoothingMm: 0.7, threshold: 0.25, minVolumeMm3: 3 };

/**
 * Splits a mask of lesion changes by the sign of d, the difference (visit 2 − visit 1) of the two
 * FLAIR, each of which has its median in the brain subtracted and is divided by its interquartile
 * range there. A voxel of the mask has appeared where the smoothed d > 0.25 and resolved where
 * d < −0.25. Components (voxels that touch, also by corners) of less than 3 mm³ are dropped.
 *
 * @param brain not empty; all images lie on one grid
 * @throws RangeError where half of an image's brain has one value
 */
export function splitChange(
  time1: Volume,
  time2: Volume,
  change: Mask,
  brain: Mask,
  rule: ChangeRule = CHANGE_RULE,
): LesionChange {
  const [first, second] = [brainScale(time1, brain), brainScale(time2, brain)];
  const smooth = smoother(time1, rule.smoothingMm);
  const appeared = new Uint8Array(change.data.length);
  const resolved = new Uint8Array(change.data.length);
  for (let voxel = change.data.indexOf(1); voxel >= 0; voxel = change.data.indexOf(1, voxel + 1)) {
    const after = (smooth(time2.data, voxel) - second.median) / second.range;
    const before = (smooth(time1.data, voxel) - first.median) / first.range;
    if (after - before > rule.threshold) appeared[voxel] = 1;
    if (after - before < -rule.threshold) resolved[voxel] = 1;
  }
  const kept = (data: Uint8Array): Mask => {
    dropSmall(data, change, rule.minVolumeMm3);
    return { size: change.size, affine: change.affine, data };
  };
  return { appeared: kept(appeared), resolved: kept(resolved) };
}

/** Median and interquartile range inside the brain. */
function brainScale(image: Volume, brain: Mask): { median: number; range: number } {
  const inside = image.data.filter((_, voxel) => brain.data[voxel] === 1).sort();
  const [low, median, high] = [0.25, 0.5, 0.75].map((share) => quantile(inside, share)) as [
    number,
    number,
    number,
  ];
  if (!(high > low)) throw new RangeError(`splitChange: half of the brain has the value ${median}`);
  return { median, range: high - low };
}

/**
 * The value of an image at a voxel under a Gaussian of `sigmaMm`, cut at 4 standard deviations and
 * mirrored at the outer faces. Changes are few: they are smoothed one by one.
 */
function smoother(
  { size, affine }: Volume,
  sigmaMm: number,
): (data: Float32Array, voxel: number) => number {
  const [nx, ny, nz] = size;
  const [wx, wy, wz] = voxelSize(affine).map((edge) => gaussian(sigmaMm / edge)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return (data, voxel) => {
    const [x, row] = [voxel % nx, Math.floor(voxel / nx)];
    const [y, z] = [row % ny, Math.floor(row / ny)];
    let sum = 0;
    for (let k = 0; k < wz.length; k++) {
      const plane = reflected(z + k - (wz.length >> 1), nz) * ny;
      for (let j = 0; j < wy.length; j++) {
        const start = (plane + reflected(y + j - (wy.length >> 1), ny)) * nx;
        let line = 0;
        for (let i = 0; i < wx.length; i++) {
          line += wx[i]! * data[start + reflected(x + i - (wx.length >> 1), nx)]!;
        }
        sum += wz[k]! * wy[j]! * line;
      }
    }
    return sum;
  };
}

function gaussian(sigma: number): Float64Array {
  const radius = Math.max(1, Math.floor(4 * sigma + 0.5));
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - radius) / sigma) ** 2),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

function reflected(index: number, n: number): number {
  const within = ((index % (2 * n)) + 2 * n) % (2 * n);
  return within < n ? within : 2 * n - 1 - within;
}

function dropSmall(data: Uint8Array, { size, affine }: Mask, minVolumeMm3: number): void {
  const { count, voxels } = connectedComponents(data, size, 26);
  // Headers hold float32: 3 voxels of 0.9999999 mm³ are 3 mm³.
  const least = (minVolumeMm3 / voxelVolume(affine)) * (1 - 1e-6);
  for (let component = 1; component <= count; component++) {
    const members = voxels(component);
    if (members.length < least) for (const voxel of members) data[voxel] = 0;
  }
}
