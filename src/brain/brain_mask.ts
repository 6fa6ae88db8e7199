/** A brain mask of voxgrad's own, with a check whether it can be one. */
import { orientedBox, outerCorners } from "../data/affine";
import { resampleTo } from "../data/resample";
import type { Mask, Volume } from "../data/volume";
import { estimateBrain } from "./estimate";

export interface BrainMask {
  /** On a grid of 2 mm along the world's axes. */
  readonly mask: Mask;
  readonly millilitres: number;
  /** Why it cannot be a brain: to be shown, and the mask not to be used. */
  readonly doubt?: string;
}

/** Edge of the voxels in which the brain is looked for, mm. */
const SPACING = 2;
/** Brains of adults hold 900 to 1700 ml; the estimate takes some of what surrounds them. */
const LEAST_ML = 600;
const MOST_ML = 2200;

/** Looks for the brain in a FLAIR image of any grid. */
export function findBrain(image: Volume): BrainMask {
  const grid = orientedBox(outerCorners(image), [SPACING, SPACING, SPACING]);
  const data = estimateBrain(resampleTo(image, grid));
  const mask = { ...grid, data };
  const millilitres = (data.reduce((sum, v) => sum + v, 0) * SPACING ** 3) / 1000;
  const doubt =
    millilitres < LEAST_ML || millilitres > MOST_ML
      ? `what looks like the brain holds ${Math.round(millilitres)} ml, a brain ${LEAST_ML} to ${MOST_ML} ml`
      : undefined;
  return { mask, millilitres, doubt };
}
