/** The smooth factor between the brightness of two visits (coil, scanner), and its removal. */
import { resampledGrid } from "../data/affine";
import { resampleMaskTo, resampleTo } from "../data/resample";
import { gaussian, inVoxels } from "../data/smooth";
import { type Mask, type Volume, voxelSize } from "../data/volume";

/** How far the field looks, mm: wider than any lesion. */
const FIELD_MM = 25;
/** Edge of the voxels that it is estimated on, mm: far finer than the field. */
const SPACING_MM = 4;
/** A voxel darker than this is fluid or air; of the median of the region. */
const FLUID = 0.4;
const ROUNDS = 3;
/** Tukey's biweight, as in registration. */
const SATURATION = 6;
const MAD_TO_SIGMA = 1.4826;
/** The field fades where the region is far: this much of a weight stands for "no difference". */
const FADE = 0.02;
/** Fewer voxels of 4 mm decide no field: 16 ml. */
const LEAST_VOXELS = 250;
/** The range that is told is that of the middle 98 % of the region. */
const RANGE = [0.01, 0.99] as const;

export interface Bias {
  /** Logarithm of the factor that visit 1 has over visit 2, on a grid of 4 mm over the visits' own. */
  readonly field: Volume;
  /** Brightness of visit 2 over that of visit 1, by their medians in the region. */
  readonly brightness: number;
  /** Smallest and largest smooth factor of visit 2 over visit 1 in the region, besides `brightness`. */
  readonly range: readonly [least: number, most: number];
  /** Robust standard deviation of log(visit 2 / visit 1) in the region, before and after. */
  readonly spread: readonly [before: number, after: number];
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
 * The field is the low-pass of w · log(I1 / I2) over a region of the visits, with weights w that leave
 * out what has changed. Far from the region it fades to nothing.
 * @param one and two on one grid
 * @param region what is compared, such as the brain, in the world of both; on any grid
 * @returns undefined where too little of the region is bright at both visits
 */
export function biasBetween(one: Volume, two: Volume, region: Mask): Bias | undefined {
  const grid = resampledGrid(one, SPACING_MM);
  const counts = resampleMaskTo(region, grid).data;
  const [a, b] = [resampleTo(one, grid).data, resampleTo(two, grid).data];
  const [m1, m2] = [median(inside(a, counts)), median(inside(b, counts))];
  if (!(m1 > 0) || !(m2 > 0)) return undefined;
  for (let i = 0; i < counts.length; i++) {
    if (a[i]! <= FLUID * m1 || b[i]! <= FLUID * m2) counts[i] = 0;
  }
  if (counts.reduce((sum, v) => sum + v, 0) < LEAST_VOXELS) return undefined;
  const ratio = a.map((v, i) => (counts[i] ? Math.log(v / m1 / (b[i]! / m2)) : 0));
  const data = smoothPart(ratio, counts, { ...grid, data: ratio });
  const spreadOf = (values: Float32Array) => robustSpread(inside(values, counts)).sigma;
  const spread = [spreadOf(ratio), spreadOf(ratio.map((v, i) => v - data[i]!))] as const;
  const sorted = inside(data, counts).sort();
  const [most, least] = RANGE.map((q) => Math.exp(-sorted[Math.round(q * (sorted.length - 1))]!));
  return {
    field: { ...grid, data },
    brightness: m2 / m1,
    range: [least!, most!],
    spread,
  };
}

/** Low-pass of values where they count, each round with less weight for what does not fit. */
function smoothPart(ratio: Float32Array, counts: Uint8Array, grid: Volume): Float32Array {
  const sigma = inVoxels(FIELD_MM, voxelSize(grid.affine));
  let field: Float32Array = new Float32Array(ratio.length);
  for (let round = 0; round < ROUNDS; round++) {
    const rest = ratio.map((v, i) => v - field[i]!);
    const spread = robustSpread(inside(rest, counts));
    const width = SATURATION * spread.sigma + 1e-6;
    const weights = rest.map((v, i) =>
      counts[i] ? Math.max(0, 1 - ((v - spread.middle) / width) ** 2) ** 2 : 0,
    );
    const weighted = ratio.map((v, i) => weights[i]! * v);
    const total = gaussian(weights, grid.size, sigma);
    field = gaussian(weighted, grid.size, sigma).map((v, i) => v / (total[i]! + FADE));
  }
  return field;
}

/** Both visits with half of the field taken from each; each keeps its own brightness. */
export function withoutBias<A extends Volume, B extends Volume>(
  one: A,
  two: B,
  { field }: Bias,
): [A, B] {
  const half = resampleTo(field, one).data;
  for (let i = 0; i < half.length; i++) half[i] = Math.exp(half[i]! / 2);
  return [
    { ...one, data: one.data.map((v, i) => v / half[i]!) },
    { ...two, data: two.data.map((v, i) => v * half[i]!) },
  ];
}

const signed = (factor: number) =>
  `${factor < 1 ? "−" : "+"}${Math.abs(100 * (factor - 1)).toFixed(0)}`;

/** What was taken out, in one line. */
export function biasText({ brightness, range, spread }: Bias): string {
  const [before, after] = spread.map((v) => (100 * v).toFixed(1));
  return (
    `bias: visit 2 is ${brightness.toFixed(2)} times as bright as visit 1, by place ` +
    `${signed(range[0])} to ${signed(range[1])} %: the smooth part is taken out, half at each visit ` +
    `(the visits differ by ${before} %, after it by ${after} %)`
  );
}
