/** Mirror averaging: predicts a window under flips of its axes and averages the flipped-back results. */
import type { Mirror } from "../settings/names";

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
