/**
 * The part of the brain that is brighter at the second of two visits: a new lesion may lie nowhere else. A
 * page may import it. The rule and its measurements stand in docs/guides/inference.md.
 */
import { MOST_BRAIN_ML } from "../brain/brain_mask";
import { type Box, boxAround, withFluid } from "../brain/morphology";
import { applyAffine, orientedBox, type Point3, voxelVolume } from "../data/affine";
import { resampleMaskTo, resampleTo } from "../data/resample";
import type { Affine, Mask, Volume } from "../data/volume";
import { changeStatistic } from "./change_statistic";

/** Least z of the change statistic. */
export const BRIGHTER_Z = 2;
/** Edge of the voxels that it is computed on, mm. */
const SPACING_MM = 1;

/**
 * Voxels of 1 mm well inside the brain whose change statistic is at least {@link BRIGHTER_Z}. The brain
 * itself where nothing can be said: the visits differ nowhere, one of them shows nothing, their brightness is
 * about 0, or the mask holds more than a brain.
 * @param one and two in one world, without the bias between them
 * @param brain of both visits, in that world
 */
export function brighterBrain(one: Volume, two: Volume, brain: Mask): Mask {
  const box = boxAround(brain, 0);
  if (!box || millilitres(brain) > MOST_BRAIN_ML) return brain;
  const grid = orientedBox(cornersOf(box, brain.affine), [SPACING_MM, SPACING_MM, SPACING_MM]);
  const [a, b] = [resampleTo(one, grid), resampleTo(two, grid)];
  // Lesions lie along the ventricles, whose fluid therefore counts as brain.
  const { z, spread } = changeStatistic(a, b, resampleMaskTo(withFluid(brain), grid));
  if (!(spread > 0)) return brain;
  return { ...grid, data: Uint8Array.from(z.data, (v) => (v >= BRIGHTER_Z ? 1 : 0)) };
}

function millilitres({ affine, data }: Mask): number {
  return (data.reduce((sum, v) => sum + v, 0) * voxelVolume(affine)) / 1000;
}

/** Of the box around the brain, in the world. */
function cornersOf({ first, last }: Box, affine: Affine): Point3[] {
  const [x, y, z] = [0, 1, 2].map((axis) => [first[axis]! - 0.5, last[axis]! + 0.5] as const);
  return x!.flatMap((i) => y!.flatMap((j) => z!.map((k) => applyAffine(affine, [i, j, k]))));
}
