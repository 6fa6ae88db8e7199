/** Single elements of convolutions in float64, for trials. */

import type { Geometry } from "../../../kernels/conv3d/contract";
import { type Exact, roundingBound } from "../trial";
import { NORM_ROUNDING, type Read } from "./after_norm";

/** Index in a volume of voxel `s` moved by tap `t` of a row of K³; undefined outside of it. */
function moved(s: number, t: number, { D, H, W, K }: Geometry): number | undefined {
  const R = (K - 1) / 2;
  const z = Math.floor(s / (H * W)) + Math.floor(t / K ** 2) - R;
  const y = (Math.floor(s / W) % H) + (Math.floor(t / K) % K) - R;
  const x = (s % W) + (t % K) - R;
  const inside = z >= 0 && z < D && y >= 0 && y < H && x >= 0 && x < W;
  return inside ? (z * H + y) * W + x : undefined;
}

/** What rounding there is beside that of the sum. */
export interface Rounding {
  /** Factors were computed on the way, behind a norm. */
  readonly norm: boolean;
  /** Activations are stored as f16: factors behind a norm too, by variants that have them written. */
  readonly half: boolean;
}

/** Half a unit in the last place of f16; many of them, independent, add up to six deviations. */
const HALF_ROUNDING = 2 ** -11;
const DEVIATIONS = 6;

function exactSum(value: number, absolute: number, terms: number, how: Rounding): Exact {
  const { norm, half } = how;
  const behind = half ? (DEVIATIONS * HALF_ROUNDING) / Math.sqrt(terms) : NORM_ROUNDING;
  const stored = half ? HALF_ROUNDING * Math.abs(value) + 2 ** -24 : 0;
  const bound = roundingBound(terms, absolute) + (norm ? behind * absolute : 0) + stored;
  return { value, bound, terms };
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
  how: Rounding,
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
  return exactSum(value, absolute, CIN * T + 1, how);
}

/** An element of the gradient of the weights: a sum over every voxel of the batch. */
export function exactWeight(
  { x, dy }: { readonly x: Read; readonly dy: Read },
  geometry: Geometry,
  i: number,
  how: Rounding,
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
  return exactSum(value, absolute, N * S, how);
}

/**
 * Mean or 1/√variance of a group of a (N, C, …) tensor, `i` as in (N, groups, 2); y as it is stored,
 * while kernels may take it as it was before.
 */
export function exactStatistic(
  y: (i: number) => number,
  { perGroup, eps, half }: { perGroup: number; eps: number; half: boolean },
  i: number,
): Exact {
  const first = Math.floor(i / 2) * perGroup;
  let [sum, absolute] = [0, 0];
  for (let k = first; k < first + perGroup; k++) {
    sum += y(k);
    absolute += Math.abs(y(k));
  }
  const mean = sum / perGroup;
  const size = absolute / perGroup;
  const stored = half ? (DEVIATIONS * HALF_ROUNDING) / Math.sqrt(perGroup) : 0;
  if (i % 2 === 0) {
    return { value: mean, bound: roundingBound(16, size, 4) + stored * size, terms: perGroup };
  }
  let squares = 0;
  for (let k = first; k < first + perGroup; k++) squares += (y(k) - mean) ** 2;
  const value = 1 / Math.sqrt(squares / perGroup + eps);
  // y − mean loses what the mean is larger than the spread.
  const loss = (1 + size * value) * value;
  return { value, bound: roundingBound(16, loss, 4) + stored * loss, terms: perGroup };
}
