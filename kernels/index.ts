/** The registry: every op of the engine. Tests and benchmarks walk it. */
import { adam } from "./adam";
import { add } from "./add";
import { batchStats } from "./batch_stats";
import { concat } from "./concat";
import { diceLoss } from "./dice_loss";
import { ema } from "./ema";
import { gatherPatches } from "./gather_patches";
import { groupNorm } from "./group_norm";
import { maxPool3d } from "./max_pool3d";
import { takeRows } from "./take_rows";
import { topB } from "./top_b";
import { upsample3d } from "./upsample3d";
import { writeSlice } from "./write_slice";

export const ops = {
  adam,
  add,
  batchStats,
  concat,
  diceLoss,
  ema,
  gatherPatches,
  groupNorm,
  maxPool3d,
  takeRows,
  topB,
  upsample3d,
  writeSlice,
};
