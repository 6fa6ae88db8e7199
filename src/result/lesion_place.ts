/** The side of the brain on which a lesion lies, where that can be said. */
import { applyAffine } from "../data/affine";
import { type Mask, voxelAt } from "../data/volume";
import type { ResultLesion } from "./record";

/** A head may be tilted: this near the middle of the brain (mm) no side is named. */
const MIDLINE_MM = 10;

/**
 * Names sides against the middle of the brain.
 * @param brain in the world of the lesions; where there is none no side is named
 */
export function sidesOf(
  brain: Mask | undefined,
): (centreMm: readonly number[]) => ResultLesion["side"] {
  if (!brain) return () => null;
  let count = 0;
  let sum = 0;
  brain.data.forEach((inside, i) => {
    if (inside === 0) return;
    sum += applyAffine(brain.affine, voxelAt(i, brain.size))[0];
    count++;
  });
  const middle = sum / count;
  return ([x = 0]) => {
    if (Math.abs(x - middle) <= MIDLINE_MM) return "midline";
    return x < middle ? "left" : "right";
  };
}
