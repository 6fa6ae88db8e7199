/** A brain mask of voxgrad's own, with a check whether it can be one. */
import { orientedBox, outerCorners } from "../data/affine";
import { resampleTo } from "../data/resample";
import { shownImage } from "../data/shown_part";
import type { Mask, Volume } from "../data/volume";
import { estimateBrain } from "./estimate";
import { dilated, eroded, largestPart, withFluid } from "./morphology";

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
export const LEAST_BRAIN_ML = 600;
export const MOST_BRAIN_ML = 2200;

/** Eyes, jaw and tongue hang on the brain by necks thinner than twice this, mm. */
const PEEL_MM = 10;
/** What the peeled brain gets back beyond its skin, mm: a voxel's width. */
const BACK_MM = 2;

/** The mask without the parts that come off when a thick skin is peeled from it. */
function withoutNecks(mask: Mask): Mask {
  const core = largestPart(eroded(withFluid(mask), PEEL_MM));
  const around = dilated(core, PEEL_MM + BACK_MM);
  const data = mask.data.slice();
  for (let i = 0; i < data.length; i++) data[i]! &= around.data[i]!;
  return { ...mask, data };
}

/** Looks for the brain in a FLAIR image of any grid; in its outer planes of one value there is none. */
export function findBrain(given: Volume): BrainMask {
  const image = shownImage(given);
  const grid = orientedBox(outerCorners(image), [SPACING, SPACING, SPACING]);
  const mask = withoutNecks({ ...grid, data: estimateBrain(resampleTo(image, grid)) });
  let voxels = 0;
  for (let i = 0; i < mask.data.length; i++) voxels += mask.data[i]!;
  const millilitres = (voxels * SPACING ** 3) / 1000;
  const doubt =
    millilitres < LEAST_BRAIN_ML || millilitres > MOST_BRAIN_ML
      ? `what looks like the brain holds ${Math.round(millilitres)} ml, a brain ${LEAST_BRAIN_ML} to ${MOST_BRAIN_ML} ml`
      : undefined;
  return { mask, millilitres, doubt };
}
