/** Gaussian smoothing of volumes on the host, for voxels that need not be cubes. */
import type { Size3 } from "./volume";

type Vec3 = readonly [x: number, y: number, z: number];

/** From this σ (voxels) on, three running means stand for a Gaussian. */
const BOX_FROM = 2;

/** @param sigma voxels, along x, y, z; outside the volume there is nothing (zeros) */
export function gaussian(values: Float32Array, size: Size3, sigma: Vec3): Float32Array {
  let from = values.slice();
  let to = new Float32Array(values.length);
  for (const axis of [0, 1, 2] as const) {
    const s = sigma[axis];
    if (s < 0.1) continue;
    const lines = linesAlong(size, axis);
    for (const pass of s < BOX_FROM ? [weights(s)] : boxes(s)) {
      if (typeof pass === "number") runningMean(from, to, lines, pass);
      else convolve(from, to, lines, pass);
      [from, to] = [to, from];
    }
  }
  return from;
}

/** σ in mm as voxels of the given edges. */
export const inVoxels = (mm: number, [x, y, z]: Vec3): Vec3 => [mm / x, mm / y, mm / z];

/** Mean of `values` where `weight` counts, by a Gaussian; `otherwise` where next to nothing does. */
export function weightedMean(
  values: Float32Array,
  weight: Float32Array,
  size: Size3,
  sigma: Vec3,
  otherwise: (voxel: number) => number,
): Float32Array {
  const sum = gaussian(
    values.map((v, i) => v * weight[i]!),
    size,
    sigma,
  );
  const total = gaussian(weight, size, sigma);
  for (let i = 0; i < sum.length; i++) {
    sum[i] = total[i]! > 1e-3 ? sum[i]! / total[i]! : otherwise(i);
  }
  return sum;
}

/** A volume as blocks of n rows of `width` values: rows follow each other along the axis. */
interface Lines {
  readonly width: number;
  readonly n: number;
}

function linesAlong(size: Size3, axis: 0 | 1 | 2): Lines {
  return { width: size.slice(0, axis).reduce((a, b) => a * b, 1), n: size[axis] };
}

function weights(sigma: number): Float64Array {
  const reach = Math.ceil(3 * sigma);
  const w = Float64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma * sigma)),
  );
  const sum = w.reduce((a, b) => a + b, 0);
  return w.map((v) => v / sum);
}

/** Reaches of three running means whose variances add up to σ². */
function boxes(sigma: number): number[] {
  const ideal = (Math.sqrt(4 * sigma * sigma + 1) - 1) / 2;
  const low = Math.floor(ideal);
  const share = 3 * (ideal - low);
  return [0, 1, 2].map((i) => (i + 0.5 < share ? low + 1 : low));
}

function convolve(from: Float32Array, to: Float32Array, { width, n }: Lines, w: Float64Array) {
  if (width === 1) return convolveAlongX(from, to, n, w);
  const reach = (w.length - 1) / 2;
  const row = new Float64Array(width);
  for (let start = 0; start < from.length; start += n * width) {
    for (let i = 0; i < n; i++) {
      row.fill(0);
      const last = Math.min(n - 1, i + reach);
      for (let j = Math.max(0, i - reach); j <= last; j++) {
        const weight = w[j - i + reach]!;
        const at = start + j * width;
        for (let s = 0; s < width; s++) row[s]! += weight * from[at + s]!;
      }
      const at = start + i * width;
      for (let s = 0; s < width; s++) to[at + s] = row[s]!;
    }
  }
}

function convolveAlongX(from: Float32Array, to: Float32Array, n: number, w: Float64Array) {
  const reach = (w.length - 1) / 2;
  for (let start = 0; start < from.length; start += n) {
    for (let i = 0; i < n; i++) {
      const last = Math.min(n - 1, i + reach);
      let sum = 0;
      for (let j = Math.max(0, i - reach); j <= last; j++)
        sum += w[j - i + reach]! * from[start + j]!;
      to[start + i] = sum;
    }
  }
}

/** Rows are added and taken away whole, so that memory is read in its order along every axis. */
function runningMean(from: Float32Array, to: Float32Array, lines: Lines, reach: number) {
  const { width, n } = lines;
  const share = 1 / (2 * reach + 1);
  if (width === 1) return runningMeanAlongX(from, to, n, reach);
  const sum = new Float64Array(width);
  const add = (at: number, sign: number) => {
    for (let s = 0; s < width; s++) sum[s]! += sign * from[at + s]!;
  };
  for (let start = 0; start < from.length; start += n * width) {
    sum.fill(0);
    for (let j = 0; j < Math.min(reach, n); j++) add(start + j * width, 1);
    for (let i = 0; i < n; i++) {
      if (i + reach < n) add(start + (i + reach) * width, 1);
      if (i > reach) add(start + (i - reach - 1) * width, -1);
      const at = start + i * width;
      for (let s = 0; s < width; s++) to[at + s] = sum[s]! * share;
    }
  }
}

function runningMeanAlongX(from: Float32Array, to: Float32Array, n: number, reach: number) {
  const share = 1 / (2 * reach + 1);
  for (let start = 0; start < from.length; start += n) {
    let sum = 0;
    for (let j = 0; j < Math.min(reach, n); j++) sum += from[start + j]!;
    for (let i = 0; i < n; i++) {
      if (i + reach < n) sum += from[start + i + reach]!;
      if (i > reach) sum -= from[start + i - reach - 1]!;
      to[start + i] = sum * share;
    }
  }
}
