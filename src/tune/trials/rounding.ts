/** The tolerance of variants beside the rounding of the sum: some round factors on the way. */
import type { Element } from "../../reference/element";
import type { Exact } from "../trial";

/** Of a factor that is normalised while it is loaded, for each unit of its size. */
const NORM_ROUNDING = 8 * 2 ** -24;
/** Half a unit in the last place of f16; many of them, independent, add up to six deviations. */
const HALF_ROUNDING = 2 ** -11;
const DEVIATIONS = 6;

/** Of `terms` factors that are stored as f16, for each unit of the size of their sum. */
export const roundingOfHalves = (terms: number): number =>
  (DEVIATIONS * HALF_ROUNDING) / Math.sqrt(terms);

export interface Rounding {
  /** Factors come after a norm. */
  readonly norm: boolean;
  /** Activations are stored as f16: factors after a norm too, by variants that have them written. */
  readonly half: boolean;
}

export function rounded({ value, size, terms, bound }: Element, { norm, half }: Rounding): Exact {
  const factors = half ? roundingOfHalves(terms) : NORM_ROUNDING;
  const stored = half ? HALF_ROUNDING * Math.abs(value) + 2 ** -24 : 0;
  return { value, terms, bound: bound + (norm ? factors * size : 0) + stored };
}
