/** Filters along one axis of a volume, each a pass over memory in its order. */
import type { Size3 } from "../data/volume";

export type Axis = 0 | 1 | 2;

/** Largest weight of a neighbour in one pass. */
const MOST = 0.25;

/**
 * Blurs by repeated weights (a, 1 − 2a, a), or sharpens where a variance is below 0; the border repeats.
 * @param variances voxels², along each axis, from −1/6 on
 * @returns a new array, or the given one where there is nothing to do
 */
export function blurred(
  values: Float32Array,
  size: Size3,
  variances: readonly number[],
): Float32Array {
  let from = values;
  for (const axis of [0, 1, 2] as const) {
    const variance = variances[axis]!;
    if (Math.abs(variance) < 1e-3) continue;
    const passes = Math.max(1, Math.ceil(variance / (2 * MOST)));
    for (let pass = 0; pass < passes; pass++) {
      from = smoothed(from, size, axis, variance / (2 * passes));
    }
  }
  return from;
}

function smoothed(from: Float32Array, size: Size3, axis: Axis, a: number): Float32Array {
  const to = new Float32Array(from.length);
  const stride = strideOf(size, axis);
  const n = size[axis];
  const own = 1 - 2 * a;
  for (let start = 0; start < from.length; start += n * stride) {
    for (let i = 0; i < n; i++) {
      const low = i > 0 ? stride : 0;
      const high = i < n - 1 ? stride : 0;
      const end = start + (i + 1) * stride;
      for (let at = end - stride; at < end; at++) {
        to[at] = own * from[at]! + a * (from[at - low]! + from[at + high]!);
      }
    }
  }
  return to;
}

const strideOf = (size: Size3, axis: Axis) => size.slice(0, axis).reduce((a, b) => a * b, 1);

/** An output plane as a sum of input planes, from `first` on. */
export interface PlaneSum {
  readonly first: number;
  readonly weights: Float64Array;
}

/** New planes along an axis, each a weighted sum of old ones. */
export function planeSums(
  from: Float32Array,
  size: Size3,
  axis: Axis,
  sums: readonly PlaneSum[],
): { readonly data: Float32Array; readonly size: Size3 } {
  const stride = strideOf(size, axis);
  const [n, m] = [size[axis], sums.length];
  const to = new Float32Array((from.length / n) * m);
  const outer = from.length / (n * stride);
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < m; k++) {
      const { first, weights } = sums[k]!;
      const target = (o * m + k) * stride;
      const source = (o * n + first) * stride;
      if (stride === 1) to[target] = dot(from, source, weights);
      else {
        for (let j = 0; j < weights.length; j++) {
          add(to, target, from, source + j * stride, weights[j]!, stride);
        }
      }
    }
  }
  return { data: to, size: size.map((s, a) => (a === axis ? m : s)) as unknown as Size3 };
}

function dot(from: Float32Array, at: number, weights: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < weights.length; j++) sum += weights[j]! * from[at + j]!;
  return sum;
}

/** Adds `weight` times `count` numbers. */
function add(
  to: Float32Array,
  target: number,
  from: Float32Array,
  source: number,
  weight: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) to[target + i]! += weight * from[source + i]!;
}

/** Slices that a scanner cuts: positions and thickness in voxels of the grid along their axis. */
export interface SliceGrid {
  readonly axis: Axis;
  readonly thickness: number;
  readonly spacing: number;
  /** Position of the first slice's middle. */
  readonly first: number;
  readonly count: number;
}

/** The slices that cover n voxels. @param phase 0 to 1: where the first one lies */
export function sliceGrid(
  axis: Axis,
  n: number,
  spacing: number,
  thickness: number,
  phase: number,
): SliceGrid {
  const first = (phase - 1) * spacing;
  return { axis, thickness, spacing, first, count: Math.ceil((n - first) / spacing) + 1 };
}

/** The mean over a slice's thickness; the border repeats. */
export function intoSlices(n: number, { thickness, spacing, first, count }: SliceGrid): PlaneSum[] {
  return Array.from({ length: count }, (_, k) => {
    const middle = first + k * spacing;
    const [low, high] = [middle - thickness / 2, middle + thickness / 2];
    const weights = new Map<number, number>();
    for (let i = Math.floor(low + 0.5); i <= Math.floor(high + 0.5); i++) {
      const share = Math.min(high, i + 0.5) - Math.max(low, i - 0.5);
      const at = Math.min(n - 1, Math.max(0, i));
      if (share > 1e-6) weights.set(at, (weights.get(at) ?? 0) + share);
    }
    return planeSum(weights, n);
  });
}

/** Slices back to voxels, linear or cubic (Catmull-Rom). */
export function fromSlices(
  n: number,
  { spacing, first, count }: SliceGrid,
  cubic: boolean,
): PlaneSum[] {
  return Array.from({ length: n }, (_, i) => {
    const position = (i - first) / spacing;
    const k = Math.floor(position);
    const t = position - k;
    const taps = cubic
      ? [
          0.5 * (-t + 2 * t * t - t ** 3),
          0.5 * (2 - 5 * t * t + 3 * t ** 3),
          0.5 * (t + 4 * t * t - 3 * t ** 3),
          0.5 * (t ** 3 - t * t),
        ]
      : [0, 1 - t, t, 0];
    const weights = new Map<number, number>();
    for (const [j, tap] of taps.entries()) {
      const at = Math.min(count - 1, Math.max(0, k - 1 + j));
      if (tap !== 0) weights.set(at, (weights.get(at) ?? 0) + tap);
    }
    return planeSum(weights, count);
  });
}

function planeSum(weights: ReadonlyMap<number, number>, n: number): PlaneSum {
  const places = [...weights.keys()];
  const first = places.length > 0 ? Math.min(...places) : n - 1;
  const last = places.length > 0 ? Math.max(...places) : n - 1;
  const total = [...weights.values()].reduce((a, b) => a + b, 0) || 1;
  const row = Float64Array.from(
    { length: last - first + 1 },
    (_, j) => (weights.get(first + j) ?? 0) / total,
  );
  return { first, weights: row };
}
