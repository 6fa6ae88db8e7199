/** Gaussian smoothing of volumes on the host, for voxels that need not be cubes. */
import type { Size3 } from "../data/volume";

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
    const passes = s < BOX_FROM ? [weights(s)] : boxes(s);
    for (const pass of passes) {
      eachLine(size, axis, (start, stride, n) => {
        if (typeof pass === "number") runningMean(from, to, start, stride, n, pass);
        else convolve(from, to, start, stride, n, pass);
      });
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

function eachLine(
  size: Size3,
  axis: 0 | 1 | 2,
  line: (start: number, stride: number, n: number) => void,
): void {
  const stride = axis === 0 ? 1 : axis === 1 ? size[0] : size[0] * size[1];
  const n = size[axis];
  const total = size[0] * size[1] * size[2];
  for (let block = 0; block < total; block += stride * n) {
    for (let s = 0; s < stride; s++) line(block + s, stride, n);
  }
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

function convolve(
  from: Float32Array,
  to: Float32Array,
  start: number,
  stride: number,
  n: number,
  w: Float64Array,
): void {
  const reach = (w.length - 1) / 2;
  for (let i = 0; i < n; i++) {
    let sum = 0;
    const last = Math.min(n - 1, i + reach);
    for (let j = Math.max(0, i - reach); j <= last; j++) {
      sum += w[j - i + reach]! * from[start + j * stride]!;
    }
    to[start + i * stride] = sum;
  }
}

function runningMean(
  from: Float32Array,
  to: Float32Array,
  start: number,
  stride: number,
  n: number,
  reach: number,
): void {
  let sum = 0;
  for (let j = 0; j < Math.min(reach, n); j++) sum += from[start + j * stride]!;
  for (let i = 0; i < n; i++) {
    if (i + reach < n) sum += from[start + (i + reach) * stride]!;
    if (i > reach) sum -= from[start + (i - reach - 1) * stride]!;
    to[start + i * stride] = sum / (2 * reach + 1);
  }
}
