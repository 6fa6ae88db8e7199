/** The network, and the voxels and patches that it sees. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { SIZE_MULTIPLE } from "../nn/unet3d";
import { NORMALISATIONS } from "./names";
import { NAME, NUMBER, NUMBERS } from "./notation";
import { setting, theme, turnedOff, turnedOn } from "./setting";
import { whole } from "./values";

/** Far beyond any 3-D U-Net that we know of: more is a typing error. */
const width = whole.max(4096);

/** No scanner resolves less, and no lesion is left in more: a typing error, of gigabytes or of nothing. */
const edge = z.number().min(0.2).max(20);
/** A patch of more voxels passes every adapter's largest binding. */
const MOST_EDGE = 512;

export const networkSettings = theme("Network and voxels", {
  spacing: setting(NUMBER, edge, "<mm>", "edge of the voxels that the network sees"),
  normalisation: setting(
    NAME,
    z.enum(NORMALISATIONS),
    "<how>",
    "z-normalise over the volume, nonzero voxels or a mask",
  ),
  patch: setting(
    NUMBER,
    whole.multipleOf(SIZE_MULTIPLE).max(MOST_EDGE),
    "<n>",
    "edge of a patch, voxels",
  ),
  filters: setting(
    NUMBERS,
    z.tuple([width, width, width]),
    "<a,b,c>",
    "filters of the three levels",
  ),
  groups: setting(NUMBER, whole, "<n>", "groups of the group norm"),
  alignCorners: turnedOff(z.boolean(), "upsample as align_corners=False does"),
  /** Absent: the head starts as PyTorch initialises it. */
  headPrior: setting(
    NUMBER,
    z.number().gt(0).lt(1).optional(),
    "<p>",
    "lesion probability that the untrained network gives",
  ),
  difference: turnedOn(z.boolean().default(false), "visit 2 − visit 1 as a third channel"),
});

interface Network {
  readonly filters: readonly number[];
  readonly groups: number;
}

export function checkNetwork({ filters, groups }: Network): void {
  if (filters.some((f) => f % groups !== 0)) {
    throw new UserError(
      `--filters ${filters}: each must be a multiple of the ${groups} norm groups`,
    );
  }
}
