/** The likeness of two registered visits: it tells a good registration from one that only ended. */
import { SAMPLE_ROWS } from "../../kernels/registration/halfway_samples";
import type { Size3 } from "../data/volume";
import { quantile } from "./head";

/** Edge of the cubes in which visits are compared, mm: larger than a lesion, smaller than a lobe. */
const CUBE_MM = 15;
/** A cube says something from this share of its points on. */
const LEAST_SHARE = 0.4;

/** Pearson's correlation; undefined where one of the two is constant. */
function correlation(a: readonly number[], b: readonly number[]): number | undefined {
  const mean = (v: readonly number[]) => v.reduce((sum, x) => sum + x, 0) / v.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : undefined;
}

/**
 * The median over cubes of 15 mm of the correlation of the two visits in each. It does not see
 * differences of scanner, coil and gain, which are smooth, and sees anatomy, which is not.
 * @param counts 0 at points that are left out
 * @param spacing of the points, mm
 * @returns 0 where no cube says anything
 */
export function cubeCorrelation(
  one: Float32Array,
  two: Float32Array,
  counts: ArrayLike<number>,
  size: Size3,
  spacing: number,
): number {
  const [nx, ny, nz] = size;
  const edge = Math.max(3, Math.round(CUBE_MM / spacing));
  const found: number[] = [];
  for (let z0 = 0; z0 < nz; z0 += edge) {
    for (let y0 = 0; y0 < ny; y0 += edge) {
      for (let x0 = 0; x0 < nx; x0 += edge) {
        const [a, b]: [number[], number[]] = [[], []];
        for (let z = z0; z < Math.min(z0 + edge, nz); z++) {
          for (let y = y0; y < Math.min(y0 + edge, ny); y++) {
            for (let x = x0; x < Math.min(x0 + edge, nx); x++) {
              const i = (z * ny + y) * nx + x;
              if (counts[i] === 0) continue;
              a.push(one[i]!);
              b.push(two[i]!);
            }
          }
        }
        const value = a.length >= LEAST_SHARE * edge ** 3 ? correlation(a, b) : undefined;
        if (value !== undefined) found.push(value);
      }
    }
  }
  return found.length === 0 ? 0 : quantile(Float64Array.from(found).sort(), 0.5);
}

/**
 * As cubeCorrelation, of the visits at a pose.
 * @param samples (6, D, H, W), see kernels/registration/halfway_samples.ts
 */
export function localCorrelation(samples: Float32Array, size: Size3, spacing: number): number {
  const points = size[0] * size[1] * size[2];
  if (samples.length !== SAMPLE_ROWS * points) throw new Error("localCorrelation: another grid");
  const row = (k: number) => samples.subarray(k * points, (k + 1) * points);
  const [r, m] = [row(0), row(4)];
  const one = m.map((v, i) => v + r[i]! / 2);
  const two = m.map((v, i) => v - r[i]! / 2);
  return cubeCorrelation(one, two, row(5), size, spacing);
}
