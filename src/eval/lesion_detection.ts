import type { Size3 } from "../data/volume";
import { type Connectivity, connectedComponents } from "./components";

/** When a lesion counts, and when it counts as detected. */
export interface LesionRule {
  /** Components must be larger than this. */
  readonly minVolumeMm3: number;
  /** More than this share of a lesion must lie in lesions of the other mask. */
  readonly alpha: number;
  /** No lesion of the other mask that is visited may have more than this share on the background. */
  readonly beta: number;
  /** Lesions of the other mask are visited until they hold this share of the overlap. */
  readonly gamma: number;
}

/** The rule of the MSSEG-2 challenge (Commowick et al. 2021), as its evaluation tool applies it. */
export const MSSEG2_RULE: LesionRule = { minVolumeMm3: 3, alpha: 0.1, beta: 0.7, gamma: 0.65 };

/** The lesions of one mask: its components above the smallest size, numbered from 1. */
export interface Lesions {
  readonly count: number;
  /** Per voxel of the grid its lesion's number, 0 on the background and in smaller components. */
  readonly labels: Int32Array;
  /** Voxel indices of one lesion, 1 to `count`. */
  voxels(lesion: number): Int32Array;
  /** What is too small to count. */
  readonly small: { readonly components: number; readonly voxels: number };
}

/** Voxels that a component needs to be larger than `minVolumeMm3`: ⌊volume / voxel⌋ + 1. */
export function minLesionVoxels(
  voxelVolumeMm3: number,
  minVolumeMm3 = MSSEG2_RULE.minVolumeMm3,
): number {
  // Headers hold float32: 3 mm³ are 3 voxels, not 2, where they say 1.0000001 mm³.
  return Math.floor((minVolumeMm3 / voxelVolumeMm3) * (1 + 1e-6)) + 1;
}

/**
 * The lesions of a mask, the largest first; of two of one size the one that comes first in memory.
 * Linear in the number of voxels. For many predictions against one reference, or many thresholds
 * of one probability map, call it once for the reference and once for each prediction.
 *
 * @param data every voxel other than 0 belongs to the mask; x fastest
 */
export function findLesions(
  data: Uint8Array,
  size: Size3,
  minVoxels: number,
  connectivity: Connectivity = 6,
): Lesions {
  const { count, labels, voxels } = connectedComponents(data, size, connectivity);
  const components = Array.from({ length: count }, (_, i) => voxels(i + 1));
  const kept = components.filter((each) => each.length >= minVoxels);
  kept.sort((a, b) => b.length - a.length);
  const small = { components: count - kept.length, voxels: 0 };
  for (const component of components) {
    if (component.length >= minVoxels) continue;
    small.voxels += component.length;
    for (const voxel of component) labels[voxel] = 0;
  }
  kept.forEach((lesion, i) => {
    for (const voxel of lesion) labels[voxel] = i + 1;
  });
  return { count: kept.length, labels, voxels: (lesion) => kept[lesion - 1]!, small };
}

/** The verdict on a lesion: detected, or the one of the two conditions that it fails. */
export type Verdict = "detected" | "overlap" | "outside";

/** Verdicts on the lesions of both masks, at [number − 1]. */
export interface LesionMatch {
  readonly reference: readonly Verdict[];
  readonly predicted: readonly Verdict[];
}

/**
 * Which reference lesions are detected, and which predicted lesions are true: the same test with
 * the roles swapped. H_ij is the number of voxels that lesions i and j share, index 0 the
 * background. Lesion i is detected when
 *
 * - Σ_{j>0} H_ij / Σ_{j≥0} H_ij > α, else it fails by `overlap`, and
 * - going through the lesions j that overlap it by decreasing H_ij, until they hold the share γ of
 *   Σ_{j>0} H_ij, none has H_0j / Σ_i H_ij > β, else it fails because they lie `outside`.
 *
 * Of two lesions that share as many voxels with i, the larger one is visited first.
 *
 * @throws RangeError if the masks have different numbers of voxels
 */
export function matchLesions(
  reference: Lesions,
  predicted: Lesions,
  rule: LesionRule = MSSEG2_RULE,
): LesionMatch {
  if (reference.labels.length !== predicted.labels.length) {
    const [a, b] = [reference.labels.length, predicted.labels.length];
    throw new RangeError(`matchLesions: ${a} and ${b} voxels`);
  }
  return {
    reference: verdicts(reference, predicted, rule),
    predicted: verdicts(predicted, reference, rule),
  };
}

/** Voxels that each lesion of `a` shares with lesions of `b`: rows of [number in b, voxels]. */
function sharedVoxels(a: Lesions, b: Lesions): [number, number][][] {
  return Array.from({ length: a.count }, (_, i) => {
    const shared = new Map<number, number>();
    for (const voxel of a.voxels(i + 1)) {
      const j = b.labels[voxel]!;
      if (j > 0) shared.set(j, (shared.get(j) ?? 0) + 1);
    }
    // By decreasing overlap; lesions are numbered by decreasing size.
    return [...shared].sort(([j, n], [k, m]) => m - n || j - k);
  });
}

function verdicts(tested: Lesions, other: Lesions, rule: LesionRule): Verdict[] {
  const rows = sharedVoxels(tested, other);
  const outside = Array.from({ length: other.count }, (_, j) => other.voxels(j + 1).length);
  for (const [j, voxels] of rows.flat()) outside[j - 1]! -= voxels;
  const spills = (j: number) => outside[j - 1]! / other.voxels(j).length > rule.beta;
  return rows.map((row, i) => {
    const overlap = row.reduce((sum, [, voxels]) => sum + voxels, 0);
    if (!(overlap / tested.voxels(i + 1).length > rule.alpha)) return "overlap";
    // A sum of whole numbers, divided once: the share γ is met exactly where it is met at all.
    let visited = 0;
    for (const [j, voxels] of row) {
      if (spills(j)) return "outside";
      visited += voxels;
      if (visited / overlap >= rule.gamma) break;
    }
    return "detected";
  });
}

/** Detection of lesions in one patient, each from 0 to 1. */
export interface LesionScores {
  /** Detected reference lesions / all; null without reference lesions. */
  readonly sensL: number | null;
  /** True predicted lesions / all; 0 without predicted lesions, as in the challenge's tool. */
  readonly ppvL: number;
  /** Harmonic mean of both, 0 when both are 0; null without reference lesions. */
  readonly f1: number | null;
}

export function lesionScores({ reference, predicted }: LesionMatch): LesionScores {
  const share = (verdicts: readonly Verdict[]) =>
    verdicts.filter((verdict) => verdict === "detected").length / Math.max(1, verdicts.length);
  const ppvL = share(predicted);
  if (reference.length === 0) return { sensL: null, ppvL, f1: null };
  const sensL = share(reference);
  return { sensL, ppvL, f1: sensL + ppvL > 0 ? (2 * sensL * ppvL) / (sensL + ppvL) : 0 };
}
