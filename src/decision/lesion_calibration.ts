/** The probability that a lesion which was found is a true one: a logistic regression with few parameters. */
import { logit, sigmoid } from "./map_calibration";

/** A lesion as the regression sees it, by the network's probabilities as they are. */
export interface LesionFeatures {
  readonly meanProbability: number;
  readonly maxProbability: number;
  readonly volumeMm3: number;
}

/** σ(intercept + mean · logit(mean) + max · logit(max) + volume · log(mm³)). */
export interface LesionCalibration {
  readonly intercept: number;
  readonly mean: number;
  readonly max: number;
  readonly volume: number;
  /** Lesions that it was fitted on, and how many of them are true. */
  readonly lesions: number;
  readonly trueLesions: number;
}

type Row = readonly [number, number, number];

const rowOf = ({ meanProbability, maxProbability, volumeMm3 }: LesionFeatures): Row => [
  logit(meanProbability),
  logit(maxProbability),
  Math.log(volumeMm3),
];

export function lesionProbability(
  lesion: LesionFeatures,
  { intercept, mean, max, volume }: LesionCalibration,
): number {
  const [a, b, c] = rowOf(lesion);
  return sigmoid(intercept + mean * a + max * b + volume * c);
}

/** With fewer true or false lesions nothing is fitted. */
const LEAST = 5;
/** Of the squares of the slopes of standardised features: as of a prior with a deviation of 1. */
const RIDGE = 1;
const STEPS = 50;

/** By Newton's method; undefined where too few lesions are true or false. */
export function fitLesions(
  lesions: readonly (LesionFeatures & { readonly isTrue: boolean })[],
): LesionCalibration | undefined {
  const trueLesions = lesions.filter(({ isTrue }) => isTrue).length;
  if (trueLesions < LEAST || lesions.length - trueLesions < LEAST) return undefined;
  const rows = lesions.map(rowOf);
  const mean = [0, 1, 2].map((k) => rows.reduce((sum, row) => sum + row[k]!, 0) / rows.length);
  const spread = mean.map((m, k) => {
    const variance = rows.reduce((sum, row) => sum + (row[k]! - m) ** 2, 0) / rows.length;
    return Math.sqrt(variance) || 1;
  });
  const x = rows.map((row) => [1, ...row.map((v, k) => (v - mean[k]!) / spread[k]!)]);
  const y = lesions.map(({ isTrue }) => Number(isTrue));
  let w = [0, 0, 0, 0];
  for (let step = 0; step < STEPS; step++) {
    const change = newtonStep(x, y, w);
    w = w.map((v, k) => v + change[k]!);
    if (Math.max(...change.map(Math.abs)) < 1e-10) break;
  }
  const slopes = [0, 1, 2].map((k) => w[k + 1]! / spread[k]!);
  const intercept = w[0]! - slopes.reduce((sum, slope, k) => sum + slope * mean[k]!, 0);
  const rounded = (v: number) => Number(v.toPrecision(6));
  const [a, b, c] = slopes.map(rounded) as [number, number, number];
  const fitted = { intercept: rounded(intercept), mean: a, max: b, volume: c };
  return { ...fitted, lesions: lesions.length, trueLesions };
}

function newtonStep(
  x: readonly (readonly number[])[],
  y: readonly number[],
  w: readonly number[],
): number[] {
  const n = w.length;
  const gradient = w.map((v, k) => (k === 0 ? 0 : -RIDGE * v));
  const hessian = w.map((_, j) => w.map((__, k) => (j === k && k > 0 ? RIDGE : 0)));
  for (const [i, row] of x.entries()) {
    const p = sigmoid(row.reduce((sum, v, k) => sum + v * w[k]!, 0));
    for (let j = 0; j < n; j++) {
      gradient[j]! += (y[i]! - p) * row[j]!;
      for (let k = 0; k < n; k++) hessian[j]![k]! += p * (1 - p) * row[j]! * row[k]!;
    }
  }
  return solved(hessian, gradient);
}

/** Of a positive definite system, by Gauss–Jordan elimination. */
function solved(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows[i]![i]!;
    rows[i] = rows[i]!.map((v) => v / pivot);
    for (let j = 0; j < rows.length; j++) {
      const factor = rows[j]![i]!;
      if (j !== i) rows[j] = rows[j]!.map((v, k) => v - factor * rows[i]![k]!);
    }
  }
  return rows.map((row) => row.at(-1)!);
}
