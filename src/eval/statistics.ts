import { Philox } from "../core/random";

/** An estimate with the interval that holds it with the confidence asked for. */
export interface Estimate {
  readonly value: number;
  /** null where a single value says nothing about its spread. */
  readonly interval: readonly [low: number, high: number] | null;
}

export interface BootstrapSettings {
  readonly seed: number;
  readonly resamples: number;
  /** Share of the distribution inside the interval. */
  readonly confidence: number;
}

export const DEFAULT_BOOTSTRAP: BootstrapSettings = {
  seed: 0,
  resamples: 10_000,
  confidence: 0.95,
};

/** Stream of the random numbers, so that other users of one seed draw others. */
const STREAM = 0xb007;

/** Arithmetic mean. NaN of no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Middle value, or the mean of the two middle ones. NaN of no values. */
export const median = (values: ArrayLike<number>): number =>
  quantile(Float64Array.from(values).sort(), 0.5);

/** Quantile of sorted values, linear between them (type 7 of Hyndman and Fan 1996). NaN of none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const [a, b] = [sorted[below]!, sorted[Math.ceil(at)]!];
  return a === b ? a : a + (at - below) * (b - a);
}

/**
 * A statistic of independent values and its bootstrap interval by the percentile method (Efron and
 * Tibshirani 1993, section 13.3): the quantiles of the statistic over resamples drawn with
 * replacement. The same values in the same order give the same interval.
 *
 * @param statistic such as {@link mean} or {@link median}; must not keep the array it is given
 * @throws RangeError without values
 */
export function bootstrap(
  values: readonly number[],
  statistic: (values: ArrayLike<number>) => number,
  { seed, resamples, confidence }: BootstrapSettings = DEFAULT_BOOTSTRAP,
): Estimate {
  if (values.length === 0) throw new RangeError("bootstrap: no values");
  const value = statistic(values);
  if (values.length === 1) return { value, interval: null };
  const random = new Philox(seed, STREAM);
  const drawn = new Float64Array(values.length);
  const statistics = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < drawn.length; i++) drawn[i] = values[random.int(values.length)]!;
    statistics[r] = statistic(drawn);
  }
  statistics.sort();
  const tail = (1 - confidence) / 2;
  return { value, interval: [quantile(statistics, tail), quantile(statistics, 1 - tail)] };
}

/** Standard normal quantile of 97.5 %. */
const Z95 = 1.959963984540054;

/**
 * The 95 % interval of a share by the score method (Wilson 1927, J. Am. Stat. Assoc. 22): of use for few
 * trials and for shares of 0 and 1.
 * @param of trials, at least 1
 */
export function wilson(right: number, of: number): readonly [low: number, high: number] {
  const share = right / of;
  const centre = (share + (Z95 * Z95) / (2 * of)) / (1 + (Z95 * Z95) / of);
  const spread =
    (Z95 / (1 + (Z95 * Z95) / of)) *
    Math.sqrt((share * (1 - share)) / of + (Z95 * Z95) / (4 * of * of));
  return [Math.max(0, centre - spread), Math.min(1, centre + spread)];
}
