/** The brain of two visits that lie on each other. A page may import it. */
import {
  applyAffine,
  invertAffine,
  multiplyAffine,
  orientedBox,
  outerCorners,
} from "../data/affine";
import { resampleMaskTo } from "../data/resample";
import type { Affine, Grid, Mask } from "../data/volume";

/** Edge of the voxels of the mask, mm. */
const SPACING = 2;

/** A visit as the pair sees it. */
export interface SeenVisit {
  /** Its own grid. */
  readonly grid: Grid;
  /** Motion from the world of the pair to that of the visit. */
  readonly toVisit: Affine;
  /** Its brain mask in its own world, where there is one. */
  readonly mask?: Mask;
}

/**
 * Brain at both visits that both fields of view hold: what may be compared.
 * @param grid of the pair
 * @returns in the world of the pair, in voxels of 2 mm along its axes; undefined where no visit has a mask
 */
export function pairBrain(visits: readonly SeenVisit[], grid: Grid): Mask | undefined {
  const box = orientedBox(outerCorners(grid), [SPACING, SPACING, SPACING]);
  const masks = visits.flatMap(({ mask, toVisit }) =>
    mask ? [movedMask(mask, toVisit, box).data] : [],
  );
  if (masks.length === 0) return undefined;
  const fields = visits.map(({ grid: own, toVisit }) => fieldOfView(own, toVisit, box));
  const all = [...masks, ...fields];
  const data = masks[0]!.map((_, i) => (all.every((seen) => seen[i] === 1) ? 1 : 0));
  return { ...box, data };
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

/** 1 at voxels of `box` that lie in a grid's field of view. */
export function fieldOfView(grid: Grid, motion: Affine, box: Grid): Uint8Array {
  const [nx, ny, nz] = grid.size;
  const m = multiplyAffine(invertAffine(grid.affine), multiplyAffine(motion, box.affine));
  const [bx, by, bz] = box.size;
  const seen = new Uint8Array(bx * by * bz);
  for (let z = 0, i = 0; z < bz; z++) {
    for (let y = 0; y < by; y++) {
      for (let x = 0; x < bx; x++, i++) {
        const [u, v, w] = applyAffine(m, [x, y, z]);
        const inside =
          u > -0.5 && v > -0.5 && w > -0.5 && u < nx - 0.5 && v < ny - 0.5 && w < nz - 0.5;
        seen[i] = inside ? 1 : 0;
      }
    }
  }
  return seen;
}
