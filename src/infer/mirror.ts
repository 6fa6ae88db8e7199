/** Mirror averaging: a window is predicted under flips of its axes, and the flipped-back results averaged. */

/** Any of the axes of an image's voxel grid, in this order; "" for no mirroring. */
export const MIRRORS = ["", "x", "y", "z", "xy", "xz", "yz", "xyz"] as const;
export type Mirror = (typeof MIRRORS)[number];

/**
 * The flips that are averaged: every subset of the axes, none of them first. Bits as of the op
 * flipRows: 1 for x, 2 for y, 4 for z.
 */
export function flipsOf(axes: Mirror): number[] {
  let flips = [0];
  for (const axis of axes) {
    const bit = 1 << "xyz".indexOf(axis);
    flips = [...flips, ...flips.map((flip) => flip | bit)];
  }
  return flips;
}
