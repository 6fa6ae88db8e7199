/** A coarse look at a scan on the host: how bright the head is, where it lies. */
import { applyAffine, type Point3 } from "../data/affine";
import { type Volume, voxelSize } from "../data/volume";

/** Distance between the voxels that are looked at, mm. */
const SPACING = 4;
/** A voxel is head from this share of the brightness of its bright voxels on. */
const SHARE = 0.25;

export interface Head {
  /** Median of the voxels of the head. */
  readonly median: number;
  /** From here on a voxel is head. */
  readonly threshold: number;
  /** Positions of head voxels, mm, about SPACING apart. */
  readonly points: readonly Point3[];
  /** Mean of the points: the centre of the head, mm. */
  readonly centre: Point3;
}

/** The value at a share of a sorted list. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/**
 * About every `step`-th of n voxels, as far from one end as from the other: the order in which a file
 * stores them does not matter.
 */
function thinnedOut(n: number, step: number): number[] {
  // An even step leaves an even number of voxels no middle.
  const stride = step % 2 === 0 && n % 2 === 0 ? step - 1 : step;
  const most = Math.floor((n - 1) / stride);
  const last = (n - 1 - most * stride) % 2 === 0 ? most : most - 1;
  const first = (n - 1 - last * stride) / 2;
  return Array.from({ length: last + 1 }, (_, i) => first + i * stride);
}

/**
 * Head: voxels above a quarter of the 90th percentile of the brighter half. A rule for registration
 * alone, which needs no sharp border.
 * @returns undefined where no voxel is brighter than the others
 */
export function findHead(volume: Volume): Head | undefined {
  const { size, affine, data } = volume;
  const [nx, ny] = size;
  const [xs, ys, zs] = voxelSize(affine).map((edge, axis) =>
    thinnedOut(size[axis]!, Math.max(1, Math.round(SPACING / edge))),
  ) as [number[], number[], number[]];
  const places: Point3[] = [];
  const values: number[] = [];
  for (const z of zs) {
    for (const y of ys) {
      for (const x of xs) {
        places.push([x, y, z]);
        values.push(data[(z * ny + y) * nx + x]!);
      }
    }
  }
  const sorted = Float64Array.from(values).sort();
  const half = quantile(sorted, 0.5);
  const bright = sorted.subarray(sorted.findIndex((v) => v > half));
  if (!(sorted.at(-1)! > half)) return undefined;
  const threshold = SHARE * quantile(bright, 0.9);
  const inside = sorted.subarray(sorted.findIndex((v) => v > threshold));
  const points = places.filter((_, i) => values[i]! > threshold);
  const at = points.map((p) => applyAffine(affine, p));
  const mean = [0, 1, 2].map((axis) => at.reduce((sum, p) => sum + p[axis]!, 0) / at.length);
  const centre: Point3 = [mean[0]!, mean[1]!, mean[2]!];
  return { median: quantile(inside, 0.5), threshold, points: at, centre };
}
