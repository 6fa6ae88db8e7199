/**
 * A change statistic of two visits, without any network: a robust z-score of the difference of their local
 * contrast inside the brain, and its clusters. It says that something changed, not that it is a lesion.
 */
import { applyAffine, voxelVolume } from "../data/affine";
import { gaussian, inVoxels } from "../data/smooth";
import { type Grid, type Mask, type Volume, voxelSize } from "../data/volume";
import { connectedComponents } from "../eval/components";
import { robustSpread } from "./differential_bias";

/** Smoothing of the difference, mm. */
const SMOOTH_MM = 1;
/** Contrast is against the mean over so many mm: scanners differ in that of tissue to tissue. */
const LOCAL_MM = 8;
/** Voxels well inside the brain alone: the share of a Gaussian of so many mm that is brain. */
const INSIDE_MM = 3;
const INSIDE_SHARE = 0.8;
/** Fixed before looking at any single patient's truth: see docs/guides/change.md. */
export const CHANGE_Z = 6;
/** Clusters of this volume or less are left out, mm³. */
export const CHANGE_MM3 = 20;

export interface Cluster {
  /** 1: brighter at visit 2; −1: darker. */
  readonly sign: 1 | -1;
  readonly volumeMm3: number;
  /** Largest |z| in it. */
  readonly peak: number;
  /** Centre in the world, mm: right, anterior, superior. */
  readonly centreMm: readonly [number, number, number];
}

export interface ChangeStatistic {
  /** z at every voxel well inside the brain, else 0. */
  readonly z: Volume;
  /**
   * Robust standard deviation of the difference, of the brain's median brightness; NaN where that is not above
   * the brain's own spread at a visit.
   */
  readonly spread: number;
}

/**
 * @param one and two on one grid, without the bias between them
 * @param brain of both visits, on their grid
 */
export function changeStatistic(one: Volume, two: Volume, brain: Mask): ChangeStatistic {
  const { size, affine } = one;
  const edges = voxelSize(affine);
  const deep = gaussian(Float32Array.from(brain.data), size, inVoxels(INSIDE_MM, edges));
  const inside = Uint8Array.from(deep, (v) => (v > INSIDE_SHARE ? 1 : 0));
  const change = difference(one, two, brain, inside);
  const { middle, sigma } = robustSpread(change.filter((_, i) => inside[i]));
  const data = change.map((v, i) => (inside[i] && sigma > 0 ? (v - middle) / sigma : 0));
  return { z: { size, affine, data }, spread: sigma };
}

/** Of the visits' local contrast, smoothed. */
function difference(one: Volume, two: Volume, brain: Mask, inside: Uint8Array): Float32Array {
  const { size, affine } = one;
  const edges = voxelSize(affine);
  const [a, b] = [one, two].map(({ data }) => {
    const { middle: bright, sigma } = robustSpread(data.filter((_, i) => brain.data[i]));
    // About 0 it is no measure of brightness: images of another origin than air.
    if (!(bright > sigma)) return new Float32Array(data.length).fill(Number.NaN);
    return gaussian(data, size, inVoxels(SMOOTH_MM, edges)).map((v) => v / bright);
  });
  const change = a!.map((v, i) => (inside[i] ? b![i]! - v : 0));
  const weight = Float32Array.from(inside);
  const sigma = inVoxels(LOCAL_MM, edges);
  const [sum, total] = [gaussian(change, size, sigma), gaussian(weight, size, sigma)];
  return change.map((v, i) => (inside[i] ? v - sum[i]! / Math.max(total[i]!, 1e-3) : 0));
}

/** Voxels of |z| of at least {@link CHANGE_Z} with one sign, in clusters that are large enough. */
export function clustersOf(z: Volume, sign: 1 | -1): { mask: Mask; clusters: Cluster[] } {
  const { size, affine, data } = z;
  const beyond = Uint8Array.from(data, (v) => (sign * v >= CHANGE_Z ? 1 : 0));
  const { count, voxels } = connectedComponents(beyond, size, 26);
  const kept = new Uint8Array(data.length);
  const clusters: Cluster[] = [];
  for (let component = 1; component <= count; component++) {
    const members = voxels(component);
    const volumeMm3 = members.length * voxelVolume(affine);
    if (volumeMm3 <= CHANGE_MM3) continue;
    let peak = 0;
    for (const i of members) {
      kept[i] = 1;
      peak = Math.max(peak, Math.abs(data[i]!));
    }
    clusters.push({ sign, volumeMm3, peak, centreMm: centreOf(members, z) });
  }
  clusters.sort((a, b) => b.volumeMm3 - a.volumeMm3);
  return { mask: { size, affine, data: kept }, clusters };
}

function centreOf(members: ArrayLike<number>, { size, affine }: Grid): [number, number, number] {
  const [nx, ny] = size;
  const sum = [0, 0, 0];
  for (let k = 0; k < members.length; k++) {
    const i = members[k]!;
    sum[0]! += i % nx;
    sum[1]! += Math.floor(i / nx) % ny;
    sum[2]! += Math.floor(i / (nx * ny));
  }
  const at = sum.map((v) => v / members.length);
  return applyAffine(affine, [at[0]!, at[1]!, at[2]!]);
}
