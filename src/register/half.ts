/** The motion that done twice is a given one. */
import { IDENTITY, invertAffine, multiplyAffine } from "../data/affine";
import type { Affine } from "../data/volume";
import { exponential, logarithm } from "./rigid";

/** Half of a rigid motion: half of its twist. */
export const rigidHalf = (m: Affine): Affine => exponential(logarithm(m).map((v) => v / 2));

/** Steps of the iteration below: it doubles the correct digits, so few are needed. */
const MOST_STEPS = 40;

/**
 * The square root of an affine near a rigid motion, by Denman & Beavers' iteration (1976, eq. 2.6).
 * @throws Error where it does not converge: the matrix turns by about π or mirrors
 */
export function affineHalf(m: Affine): Affine {
  let [y, z]: [Affine, Affine] = [m, IDENTITY];
  for (let step = 0; step < MOST_STEPS; step++) {
    const [yi, zi] = [invertAffine(y), invertAffine(z)];
    const next = y.map((v, i) => (v + zi[i]!) / 2);
    z = z.map((v, i) => (v + yi[i]!) / 2);
    const change = Math.max(...next.map((v, i) => Math.abs(v - y[i]!)));
    y = next;
    if (change < 1e-12 * Math.max(1, ...y.map(Math.abs))) break;
  }
  const twice = multiplyAffine(y, y);
  const error = Math.max(...twice.map((v, i) => Math.abs(v - m[i]!)));
  if (!(error < 1e-6)) throw new Error(`affineHalf: no square root (twice it is off by ${error})`);
  return y;
}
