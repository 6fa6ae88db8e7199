import { applyAffine, voxelVolume } from "../data/affine";
import type { Grid, Mask } from "../data/volume";
import type { Connectivity } from "./components";
import {
  findLesions,
  type LesionRule,
  type LesionScores,
  type Lesions,
  lesionScores,
  matchLesions,
  minLesionVoxels,
  type Verdict,
} from "./lesion_detection";

/** A lesion of the reference or of the prediction, and what became of it. */
export interface Lesion extends Place {
  /** 1 is the largest of its mask. */
  readonly id: number;
  /** Share of its voxels that lie in lesions of the other mask. */
  readonly overlap: number;
  /** A reference lesion is found, a predicted one is true, when `detected`. */
  readonly verdict: Verdict;
}

/** Components of a mask that are too small to count. */
export interface SmallComponents {
  readonly components: number;
  readonly volumeMm3: number;
}

export interface LesionEvaluation extends LesionScores {
  /** Largest first. */
  readonly referenceLesions: readonly Lesion[];
  /** Largest first. */
  readonly predictedLesions: readonly Lesion[];
  readonly smallInReference: SmallComponents;
  readonly smallInPrediction: SmallComponents;
}

/** Compares two masks of one grid lesion by lesion ({@link matchLesions} says how). */
export function compareLesions(
  reference: Mask,
  prediction: Mask,
  rule: LesionRule,
  connectivity: Connectivity,
): LesionEvaluation {
  const voxelMm3 = voxelVolume(reference.affine);
  const min = minLesionVoxels(voxelMm3, rule.minVolumeMm3);
  const find = ({ data, size }: Mask) => findLesions(data, size, min, connectivity);
  const [a, b] = [find(reference), find(prediction)];
  const match = matchLesions(a, b, rule);
  const small = ({ small: { components, voxels } }: Lesions) => ({
    components,
    volumeMm3: voxels * voxelMm3,
  });
  return {
    ...lesionScores(match),
    referenceLesions: match.reference.map((verdict, i) => lesion(reference, a, b, i + 1, verdict)),
    predictedLesions: match.predicted.map((verdict, i) => lesion(prediction, b, a, i + 1, verdict)),
    smallInReference: small(a),
    smallInPrediction: small(b),
  };
}

function lesion(mask: Mask, own: Lesions, other: Lesions, id: number, verdict: Verdict): Lesion {
  const voxels = own.voxels(id);
  const shared = voxels.reduce((sum, voxel) => sum + (other.labels[voxel] === 0 ? 0 : 1), 0);
  return { id, ...placeOf(mask, voxels), overlap: shared / voxels.length, verdict };
}

/** Size and place of a set of voxels. */
export interface Place {
  readonly voxels: number;
  readonly volumeMm3: number;
  /** Mean position of its voxels in mm: right, anterior, superior. */
  readonly centreMm: readonly [number, number, number];
}

/** @param voxels indices of a lesion's voxels */
export function placeOf({ size: [nx, ny], affine }: Grid, voxels: Int32Array): Place {
  const sum: [number, number, number] = [0, 0, 0];
  for (const voxel of voxels) {
    const row = Math.floor(voxel / nx);
    sum[0] += voxel % nx;
    sum[1] += row % ny;
    sum[2] += Math.floor(row / ny);
  }
  const n = voxels.length;
  return {
    voxels: n,
    volumeMm3: n * voxelVolume(affine),
    centreMm: applyAffine(affine, [sum[0] / n, sum[1] / n, sum[2] / n]),
  };
}
