/** Agreement of two binary masks on one grid, counted in voxels. */
export interface Overlap {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
  /** 2·TP / (2·TP + FP + FN), from 0 to 1; 1 where both masks are empty: they agree fully. */
  readonly dice: number;
}

/** Counts over all voxels; a value other than 0 counts as inside. @throws RangeError on lengths. */
export function overlap(reference: Uint8Array, prediction: Uint8Array): Overlap {
  if (reference.length !== prediction.length) {
    throw new RangeError(`overlap: ${reference.length} and ${prediction.length} voxels`);
  }
  let truePositives = 0;
  let falsePositives = 0;
  let falseNegatives = 0;
  for (let i = 0; i < reference.length; i++) {
    if (prediction[i] !== 0) {
      if (reference[i] !== 0) truePositives++;
      else falsePositives++;
    } else if (reference[i] !== 0) falseNegatives++;
  }
  const trueNegatives = reference.length - truePositives - falsePositives - falseNegatives;
  const sum = 2 * truePositives + falsePositives + falseNegatives;
  const dice = sum === 0 ? 1 : (2 * truePositives) / sum;
  return { truePositives, falsePositives, falseNegatives, trueNegatives, dice };
}

/** Voxel metrics of the MSSEG-2 challenge; null where a share of nothing is asked for. */
export interface VoxelScores {
  readonly jaccard: number | null;
  readonly dice: number | null;
  readonly sensitivity: number | null;
  readonly specificity: number | null;
  /** Positive and negative predictive value. */
  readonly ppv: number | null;
  readonly npv: number | null;
  /** (predicted − reference volume) / reference volume in per cent: negative where too little. */
  readonly relativeVolumeErrorPercent: number | null;
}

/** From counts over all voxels, without any filter by size. */
export function voxelScores(counts: Overlap): VoxelScores {
  const { truePositives: tp, falsePositives: fp, falseNegatives: fn, trueNegatives: tn } = counts;
  const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);
  return {
    jaccard: share(tp, tp + fp + fn),
    dice: share(2 * tp, 2 * tp + fp + fn),
    sensitivity: share(tp, tp + fn),
    specificity: share(tn, tn + fp),
    ppv: share(tp, tp + fp),
    npv: share(tn, tn + fn),
    relativeVolumeErrorPercent: share(100 * (fp - fn), tp + fn),
  };
}
