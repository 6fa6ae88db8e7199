/** Single elements of convolutions in float64, for trials. */
import { type Exact, roundingBound } from "../src/core/trial";
import { NORM_ROUNDING, type Read } from "./behind_norm";
import type { Geometry } from "./conv3d_forward";

/** Index in a volume of voxel `s` moved by tap `t` of a row of K³; undefined outside of it. */
function moved(s: number, t: number, { D, H, W, K }: Geometry): number | undefined {
  const R = (K - 1) / 2;
  const z = Math.floor(s / (H * W)) + Math.floor(t / K ** 2) - R;
  const y = (Math.floor(s / W) % H) + (Math.floor(t / K) % K) - R;
  const x = (s % W) + (t % K) - R;
  const inside = z >= 0 && z < D && y >= 0 && y < H && x >= 0 && x < W;
  return inside ? (z * H + y) * W + x : undefined;
}

/** The bound for sums of products; `behindNorm` where a factor was computed on the way. */
function exactSum(value: number, absolute: number, terms: number, behindNorm: boolean): Exact {
  const before = behindNorm ? NORM_ROUNDING * absolute : 0;
  return { value, bound: roundingBound(terms, absolute) + before, terms };
}

interface Factors {
  readonly x: Read;
  readonly w: (i: number) => number;
  readonly b?: (i: number) => number;
}

/** A voxel of y; without `b` of a gradient of the input, which reads the weights transposed. */
export function exactVoxel(
  { x, w, b }: Factors,
  geometry: Geometry,
  i: number,
  behindNorm: boolean,
): Exact {
  const { CIN, COUT, D, H, W, K } = geometry;
  const [S, T] = [D * H * W, K ** 3];
  const [n, co] = [Math.floor(i / (COUT * S)), Math.floor(i / S) % COUT];
  let value = b ? b(co) : 0;
  let absolute = Math.abs(value);
  for (let t = 0; t < T; t++) {
    const from = moved(i % S, t, geometry);
    if (from === undefined) continue;
    for (let ci = 0; ci < CIN; ci++) {
      const weight = w(b ? (co * CIN + ci) * T + t : (ci * COUT + co) * T + (T - 1 - t));
      x.at((n * CIN + ci) * S + from);
      value += x.value * weight;
      absolute += x.size * Math.abs(weight);
    }
  }
  return exactSum(value, absolute, CIN * T + 1, behindNorm);
}

/** An element of the gradient of the weights: a sum over every voxel of the batch. */
export function exactWeight(
  { x, dy }: { readonly x: Read; readonly dy: Read },
  geometry: Geometry,
  i: number,
  behindNorm: boolean,
): Exact {
  const { N, CIN, COUT, D, H, W, K } = geometry;
  const [S, T] = [D * H * W, K ** 3];
  const [co, ci, t] = [Math.floor(i / (CIN * T)), Math.floor(i / T) % CIN, i % T];
  let value = 0;
  let absolute = 0;
  for (let s = 0; s < S; s++) {
    const from = moved(s, t, geometry);
    if (from === undefined) continue;
    for (let n = 0; n < N; n++) {
      x.at((n * CIN + ci) * S + from);
      dy.at((n * COUT + co) * S + s);
      value += x.value * dy.value;
      absolute += x.size * dy.size;
    }
  }
  return exactSum(value, absolute, N * S, behindNorm);
}

/** Mean or 1/√variance of a group of a (N, C, …) tensor; `i` as in (N, groups, 2). */
export function exactStatistic(
  y: (i: number) => number,
  { perGroup, eps }: { readonly perGroup: number; readonly eps: number },
  i: number,
): Exact {
  const first = Math.floor(i / 2) * perGroup;
  let [sum, absolute] = [0, 0];
  for (let k = first; k < first + perGroup; k++) {
    sum += y(k);
    absolute += Math.abs(y(k));
  }
  const mean = sum / perGroup;
  if (i % 2 === 0) {
    return { value: mean, bound: roundingBound(16, absolute / perGroup, 4), terms: perGroup };
  }
  let squares = 0;
  for (let k = first; k < first + perGroup; k++) squares += (y(k) - mean) ** 2;
  const value = 1 / Math.sqrt(squares / perGroup + eps);
  // y − mean loses what the mean is larger than the spread.
  const loss = 1 + (absolute / perGroup) * value;
  return { value, bound: roundingBound(16, value * loss, 4), terms: perGroup };
}
