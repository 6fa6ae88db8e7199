/** The float64 references of all ops. Tests and benchmarks walk them. */
import { adamReference } from "./adam";
import { addReference } from "./add";
import { batchStatsReference } from "./batch_stats";
import { blobLossReference } from "./blob_loss";
import { classGradientsReference } from "./class_gradients";
import { columnSumsReference } from "./column_sums";
import { componentsReference } from "./components";
import { concatReference } from "./concat";
import { conv3dReference } from "./conv3d";
import { fillReference } from "./fill";
import { flipRowsReference } from "./flip_rows";
import { gatherAugmentedReference } from "./gather_augmented";
import { gatherPatchesReference } from "./gather_patches";
import { gaussianAxisReference } from "./gaussian_axis";
import { groupNormReference } from "./group_norm";
import { halfwaySamplesReference } from "./halfway_samples";
import { logValuesReference } from "./log_values";
import { lossScaleReference, lossSeedReference } from "./loss_scale";
import { maxPool3dReference } from "./max_pool3d";
import { momentsReference } from "./moments";
import { normalEquationsReference } from "./normal_equations";
import { overlapAddReference } from "./overlap_add";
import { overlapDivideReference } from "./overlap_divide";
import { patchLossReference } from "./patch_loss";
import { rankCorrelationReference } from "./rank_correlation";
import type { Reference } from "./reference";
import { reluReference } from "./relu";
import { resampleReference } from "./resample";
import { resampleAffineReference } from "./resample_affine";
import { residualHistogramReference } from "./residual_histogram";
import { samplingKeysReference } from "./sampling_keys";
import { sharedIndicesReference } from "./shared_indices";
import { sigmoidReference } from "./sigmoid";
import { takeRowsReference } from "./take_rows";
import { topBReference } from "./top_b";
import { topCrossEntropyReference } from "./top_cross_entropy";
import { upsample3dReference } from "./upsample3d";
import { windowRangeReference } from "./window_range";
import { writeSliceReference } from "./write_slice";

export const references: readonly Reference<unknown>[] = [
  adamReference,
  addReference,
  batchStatsReference,
  blobLossReference,
  classGradientsReference,
  columnSumsReference,
  componentsReference,
  concatReference,
  conv3dReference,
  fillReference,
  flipRowsReference,
  gatherAugmentedReference,
  gatherPatchesReference,
  groupNormReference,
  logValuesReference,
  lossScaleReference,
  lossSeedReference,
  maxPool3dReference,
  momentsReference,
  overlapAddReference,
  overlapDivideReference,
  sharedIndicesReference,
  patchLossReference,
  rankCorrelationReference,
  reluReference,
  gaussianAxisReference,
  halfwaySamplesReference,
  normalEquationsReference,
  residualHistogramReference,
  resampleAffineReference,
  resampleReference,
  samplingKeysReference,
  sigmoidReference,
  takeRowsReference,
  topBReference,
  topCrossEntropyReference,
  upsample3dReference,
  windowRangeReference,
  writeSliceReference,
];
