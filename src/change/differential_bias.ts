/** The smooth factor between the brightness of two visits (coil, scanner), and its removal. */
import { gaussian, inVoxels } from "../data/smooth";
import { type Grid, type Mask, type Volume, voxelSize } from "../data/volume";

/** How far the field looks, mm: wider than any lesion. */
const FIELD_MM = 25;
/** A voxel darker than this is fluid or air; of the median of the brain. */
const FLUID = 0.4;
const ROUNDS = 3;
/** Tukey's biweight, as in registration. */
const SATURATION = 6;
const MAD_TO_SIGMA = 1.4826;

export interface BiasFree {
  /** Both visits, of median 1 in the brain, each with half of the field taken out. */
  readonly visit1: Float32Array;
  readonly visit2: Float32Array;
  /** Logarithm of the factor that visit 1 had over visit 2. */
  readonly field: Float32Array;
}

export function median(values: Float32Array): number {
  const sorted = values.toSorted();
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** 1.4826 · median absolute deviation, and the median. */
export function robustSpread(values: Float32Array): { middle: number; sigma: number } {
  const middle = median(values);
  return { middle, sigma: MAD_TO_SIGMA * median(values.map((v) => Math.abs(v - middle))) };
}

const inside = (values: Float32Array, mask: Uint8Array) => values.filter((_, i) => mask[i]);

/**
 * Low-pass of w · log(I1 / I2) over the brain, with weights w that leave out what has changed; half of
 * it is taken from each visit.
 * @param brain on the grid of both visits
 * @param correct false: only the brightness as a whole is made alike
 */
export function withoutBias(
  one: Volume,
  two: Volume,
  brain: Mask,
  { correct = true } = {},
): BiasFree {
  const grid: Grid = one;
  const [m1, m2] = [one, two].map(({ data }) => median(inside(data, brain.data))) as [
    number,
    number,
  ];
  const [visit1, visit2] = [one.data.map((v) => v / m1), two.data.map((v) => v / m2)];
  let field: Float32Array = new Float32Array(visit1.length);
  if (!correct) return { visit1, visit2, field };
  const counts = brain.data.map((b, i) => (b && visit1[i]! > FLUID && visit2[i]! > FLUID ? 1 : 0));
  const ratio = visit1.map((v, i) => (counts[i] ? Math.log(v / visit2[i]!) : 0));
  const sigma = inVoxels(FIELD_MM, voxelSize(grid.affine));
  for (let round = 0; round < ROUNDS; round++) {
    const rest = ratio.map((v, i) => v - field[i]!);
    const spread = robustSpread(inside(rest, counts));
    const width = SATURATION * spread.sigma + 1e-6;
    const weights = rest.map((v, i) =>
      counts[i] ? Math.max(0, 1 - ((v - spread.middle) / width) ** 2) ** 2 : 0,
    );
    const sum = gaussian(
      ratio.map((v, i) => weights[i]! * v),
      grid.size,
      sigma,
    );
    const total = gaussian(weights, grid.size, sigma);
    field = sum.map((v, i) => (total[i]! > 1e-4 ? v / total[i]! : 0));
  }
  return {
    visit1: visit1.map((v, i) => v * Math.exp(-field[i]! / 2)),
    visit2: visit2.map((v, i) => v * Math.exp(field[i]! / 2)),
    field,
  };
}
