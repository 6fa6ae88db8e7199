/** The network, and the voxels and patches that it sees. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { SIZE_MULTIPLE } from "../nn/unet3d";
import { NORMALISATIONS } from "./names";
import { positive, whole } from "./values";

/** Far beyond any 3-D U-Net that we know of: more is a typing error. */
const width = whole.max(4096);

export const networkSettings = {
  /** Edge of the voxels that the network sees, mm. */
  spacing: positive,
  normalisation: z.enum(NORMALISATIONS),
  /** The network sees visit 2 − visit 1 as a third channel. */
  difference: z.boolean().default(false),
  /** Edge of a patch, voxels. */
  patch: whole.multipleOf(SIZE_MULTIPLE),
  filters: z.tuple([width, width, width]),
  groups: whole,
  alignCorners: z.boolean(),
  /** Start the head at this lesion probability; absent: PyTorch's initialisation. */
  headPrior: z.number().gt(0).lt(1).optional(),
};

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
