/** The brain of two visits that lie on each other, and its surroundings. A page may import it. */
import { invertAffine, multiplyAffine, orientedBox, outerCorners } from "../data/affine";
import { resampleMaskTo } from "../data/resample";
import { type Affine, type Grid, type Mask, voxelSize } from "../data/volume";
import { distancesToNearest } from "../eval/distance";

/** Edge of the voxels of these masks, mm. */
const SPACING = 2;

/** Lesions may lie this far outside the brain of both visits, mm: the masks are of 2 mm. */
export const MARGIN_MM = 3;

/** In the world in which the pair lies, on a grid of 2 mm along its axes. */
export interface PairBrain {
  /** Brain at both visits: what may be compared. */
  readonly both: Mask;
  /** Brain at either visit, and {@link MARGIN_MM} around it: where lesions may lie. */
  readonly near: Mask;
}

/** A brain mask of one visit, and the motion from the world of the pair to that of the visit. */
export interface VisitBrain {
  readonly mask: Mask;
  readonly toVisit: Affine;
}

/**
 * @param brains of one or both visits; at least one
 * @param grid of the pair
 */
export function pairBrain(brains: readonly VisitBrain[], grid: Grid): PairBrain {
  const box = orientedBox(outerCorners(grid), [SPACING, SPACING, SPACING]);
  const masks = brains.map(({ mask, toVisit }) => movedMask(mask, toVisit, box).data);
  const count = new Uint8Array(masks[0]!.length);
  for (const mask of masks) for (let i = 0; i < mask.length; i++) count[i]! += mask[i]!;
  const both = count.map((n) => (n === masks.length ? 1 : 0));
  const either = count.map((n) => (n > 0 ? 1 : 0));
  return { both: { ...box, data: both }, near: dilated({ ...box, data: either }, MARGIN_MM) };
}

/**
 * A mask on another grid, nearest neighbour.
 * @param motion from the world of the grid to that of the mask
 */
export function movedMask(mask: Mask, motion: Affine, grid: Grid): Mask {
  const affine = multiplyAffine(invertAffine(motion), mask.affine);
  const { size } = grid;
  return { size, affine: grid.affine, data: resampleMaskTo({ ...mask, affine }, grid).data };
}

/** The mask and what lies within so many mm of it, between the centres of voxels. */
export function dilated(mask: Mask, mm: number): Mask {
  const { size, affine, data } = mask;
  const indices = (value: number) => {
    const found: number[] = [];
    for (let i = 0; i < data.length; i++) if (data[i] === value) found.push(i);
    return Int32Array.from(found);
  };
  const [sources, others] = [indices(1), indices(0)];
  const distances = distancesToNearest(others, sources, size, voxelSize(affine));
  const grown = data.slice();
  others.forEach((i, k) => {
    if (distances[k]! <= mm) grown[i] = 1;
  });
  return { size, affine, data: grown };
}
