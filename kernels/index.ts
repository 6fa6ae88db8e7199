/** The registry: every op of the engine. Tests and benchmarks walk it. */
import { adam } from "./adam";
import { add } from "./add";
import { batchStats } from "./batch_stats";
import { blobLoss } from "./blob_loss";
import { classGradients } from "./class_gradients";
import { columnSums } from "./column_sums";
import { components } from "./components";
import { concat } from "./concat";
import { conv3d } from "./conv3d";
import { fill } from "./fill";
import { flipRows } from "./flip_rows";
import { gatherAugmented } from "./gather_augmented";
import { gatherPatches } from "./gather_patches";
import { groupNorm } from "./group_norm";
import { logValues } from "./log_values";
import { lossScale, lossSeed } from "./loss_scale";
import { maxPool3d } from "./max_pool3d";
import { moments } from "./moments";
import { overlap } from "./overlap";
import { overlapAdd } from "./overlap_add";
import { overlapDivide } from "./overlap_divide";
import { patchLoss } from "./patch_loss";
import { rankCorrelation } from "./rank_correlation";
import { relu } from "./relu";
import { resample } from "./resample";
import { samplingKeys } from "./sampling_keys";
import { sigmoid } from "./sigmoid";
import { takeRows } from "./take_rows";
import { topB } from "./top_b";
import { topCrossEntropy } from "./top_cross_entropy";
import { upsample3d } from "./upsample3d";
import { windowRange } from "./window_range";
import { writeSlice } from "./write_slice";

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
  overlap,
  overlapAdd,
  overlapDivide,
  patchLoss,
  rankCorrelation,
  relu,
  resample,
  samplingKeys,
  sigmoid,
  takeRows,
  topB,
  topCrossEntropy,
  upsample3d,
  windowRange,
  writeSlice,
};
