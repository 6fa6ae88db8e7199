/** The registry: every op of the engine. Tests, benchmarks and the portability suite walk it. */

import { conv3d } from "./conv3d/conv3d";
import { add } from "./elementwise/add";
import { fill } from "./elementwise/fill";
import { relu } from "./elementwise/relu";
import { sigmoid } from "./elementwise/sigmoid";
import { blobLoss } from "./loss/blob_loss";
import { classGradients } from "./loss/class_gradients";
import { components } from "./loss/components";
import { lossScale, lossSeed } from "./loss/loss_scale";
import { patchLoss } from "./loss/patch_loss";
import { topCrossEntropy } from "./loss/top_cross_entropy";
import { batchStats } from "./mining/batch_stats";
import { rankCorrelation } from "./mining/rank_correlation";
import { samplingKeys } from "./mining/sampling_keys";
import { sharedIndices } from "./mining/shared_indices";
import { topB } from "./mining/top_b";
import { groupNorm } from "./norm/group_norm";
import { moments } from "./norm/moments";
import { adam } from "./optimiser/adam";
import { gaussianAxis } from "./registration/gaussian_axis";
import { halfwaySamples } from "./registration/halfway_samples";
import { normalEquations } from "./registration/normal_equations";
import { residualHistogram } from "./registration/residual_histogram";
import { maxPool3d } from "./resize/max_pool3d";
import { upsample3d } from "./resize/upsample3d";
import { columnSums } from "./rows/column_sums";
import { concat } from "./rows/concat";
import { flipRows } from "./rows/flip_rows";
import { logValues } from "./rows/log_values";
import { takeRows } from "./rows/take_rows";
import { writeSlice } from "./rows/write_slice";
import { gatherAugmented } from "./volume/gather_augmented";
import { gatherPatches } from "./volume/gather_patches";
import { resample } from "./volume/resample";
import { resampleAffine } from "./volume/resample_affine";
import { overlapAdd } from "./windows/overlap_add";
import { overlapDivide } from "./windows/overlap_divide";
import { windowRange } from "./windows/window_range";

export const ops = {
  adam,
  add,
  batchStats,
  blobLoss,
  classGradients,
  columnSums,
  components,
  concat,
  conv3d,
  fill,
  flipRows,
  gatherAugmented,
  gatherPatches,
  groupNorm,
  logValues,
  lossScale,
  lossSeed,
  maxPool3d,
  moments,
  sharedIndices,
  overlapAdd,
  overlapDivide,
  patchLoss,
  rankCorrelation,
  relu,
  gaussianAxis,
  halfwaySamples,
  normalEquations,
  residualHistogram,
  resample,
  resampleAffine,
  samplingKeys,
  sigmoid,
  takeRows,
  topB,
  topCrossEntropy,
  upsample3d,
  windowRange,
  writeSlice,
};
