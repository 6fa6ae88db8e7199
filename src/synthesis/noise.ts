/** Normal random numbers by the million: as many as a scan has voxels. */
import type { Philox } from "../core/random";

const BITS = 14;
const COUNT = 2 ** BITS;

/** Quantiles of the normal distribution at (i + ½) / 2¹⁴, scaled to a deviation of 1. */
const QUANTILES = quantiles();

function quantiles(): Float32Array {
  const table = new Float32Array(COUNT);
  let square = 0;
  for (let i = 0; i < COUNT; i++) {
    table[i] = quantile((i + 0.5) / COUNT);
    square += table[i]! ** 2;
  }
  const scale = Math.sqrt(COUNT / square);
  return table.map((v) => v * scale);
}

/** Of the normal distribution, by Acklam's rational approximation (relative error 1e-9). */
function quantile(p: number): number {
  if (p > 0.5) return -quantile(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return (
      polynomial(
        q,
        [
          -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734,
          4.374664141464968, 2.938163982698783,
        ],
      ) /
      polynomial(
        q,
        [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1],
      )
    );
  }
  const q = p - 0.5;
  const r = q * q;
  return (
    (q *
      polynomial(
        r,
        [
          -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269,
          -30.66479806614716, 2.506628277459239,
        ],
      )) /
    polynomial(
      r,
      [
        -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972,
        -13.28068155288572, 1,
      ],
    )
  );
}

/** Coefficients from the highest power down. */
function polynomial(x: number, of: readonly number[]): number {
  return of.reduce((sum, c) => sum * x + c, 0);
}

/** Chris Doty-Humphrey's sfc32, whose state comes from a Philox stream. */
export class NoiseStream {
  private a: number;
  private b: number;
  private c: number;
  private count = 1;

  constructor(random: Philox) {
    [this.a, this.b, this.c] = [random.u32() | 0, random.u32() | 0, random.u32() | 0];
    for (let i = 0; i < 12; i++) this.next();
  }

  private next(): number {
    const t = (((this.a + this.b) | 0) + this.count) | 0;
    this.count = (this.count + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (this.c << 21) | (this.c >>> 11);
    this.c = (this.c + t) | 0;
    return t;
  }

  /**
   * Makes a magnitude image of a real one: √((v + n₁)² + n₂²), n of deviation `sigma` (Rician noise).
   * In place. What is negative becomes 0 first, as in a magnitude image.
   */
  addRician(values: Float32Array, sigma: number): void {
    for (let i = 0; i < values.length; i++) {
      const word = this.next();
      const v = values[i]!;
      const real = Math.max(v, 0) + sigma * QUANTILES[word >>> (32 - BITS)]!;
      const imaginary = sigma * QUANTILES[word & (COUNT - 1)]!;
      values[i] = Math.sqrt(real * real + imaginary * imaginary);
    }
  }

  /** Adds noise where the image is not 0, as in an image whose background was set to 0. In place. */
  addNormal(values: Float32Array, sigma: number): void {
    for (let i = 0; i < values.length; i++) {
      const word = this.next();
      const v = values[i]!;
      if (v !== 0) values[i] = v + sigma * QUANTILES[word >>> (32 - BITS)]!;
    }
  }
}
