/** The registry: every op of the engine. Tests and benchmarks walk it. */
import { add } from "./add";
import { concat } from "./concat";
import { groupNorm } from "./group_norm";
import { maxPool3d } from "./max_pool3d";
import { upsample3d } from "./upsample3d";

export const ops = { add, concat, groupNorm, maxPool3d, upsample3d };
