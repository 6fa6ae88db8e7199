import { Philox } from "../../core/random";
import type { Size3 } from "../volume";
import { clamp, type Point, randomField } from "./fields";
import { type Sampling, voxelCentre } from "./sampling";

/**
 * What the scanner makes of tissue intensities at visit 0 or 1: point-spread blur, a monotone
 * intensity curve with a gain, a smooth multiplicative bias field, Rician noise, and rounding to
 * whole numbers. Works in place and returns its argument.
 */
export function acquire(
  value: Float32Array,
  sampling: Sampling,
  seed: number,
  patient: number,
  visit: 0 | 1,
): Float32Array {
  const random = new Philox(seed, patient, 5 + visit);
  blur(value, sampling.size, random.uniform(0.45, 0.65) / sampling.spacing);
  const gamma = random.uniform(0.9, 1.1);
  const gain = random.uniform(600, 1400);
  const sigma = gain * random.uniform(0.016, 0.022);
  multiplyBias(value, sampling, random, gain, gamma);
  for (let o = 0; o < value.length; o++) {
    const real = value[o]! + sigma * random.normal();
    const imaginary = sigma * random.normal();
    value[o] = Math.round(Math.sqrt(real * real + imaginary * imaginary));
  }
  return value;
}

/** value → bias · gain · value^gamma; the bias is smooth, around 1, about ± 15 %. */
function multiplyBias(
  value: Float32Array,
  sampling: Sampling,
  random: Philox,
  gain: number,
  gamma: number,
) {
  const [nx, ny, nz] = sampling.size;
  const [bx, by, bz] = sampling.size.map((n) => {
    const linear = random.uniform(-0.12, 0.12);
    const square = random.uniform(-0.25, 0.25);
    const at = (i: number) => (i + 0.5) / n - 0.5;
    return Float64Array.from({ length: n }, (_, i) => Math.exp(at(i) * (linear + square * at(i))));
  }) as [Float64Array, Float64Array, Float64Array];
  const extent = sampling.size.map((n) => n * sampling.spacing) as unknown as Point;
  const wave = randomField(random, extent, extent[0] / 2);
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (value[o]! <= 0) continue;
        const [x, y, z] = voxelCentre(sampling, i, j, k);
        const bias = bx[i]! * by[j]! * bz[k]! * (1 + 0.03 * wave.at(x, y, z));
        value[o] = gain * bias * value[o]! ** gamma;
      }
}

/** Separable Gaussian blur in place, sigma in voxels, borders repeated. */
export function blur(data: Float32Array, size: Size3, sigma: number): void {
  const radius = Math.max(1, Math.ceil(2.5 * sigma));
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, t) =>
    Math.exp(-0.5 * ((t - radius) / sigma) ** 2),
  );
  const total = kernel.reduce((a, b) => a + b, 0);
  let stride = 1;
  for (const n of size) {
    const line = new Float32Array(n + 2 * radius);
    for (let block = 0; block < data.length; block += n * stride)
      for (let start = block; start < block + stride; start++) {
        for (let t = 0; t < line.length; t++)
          line[t] = data[start + clamp(t - radius, 0, n - 1) * stride]!;
        for (let i = 0; i < n; i++) {
          let sum = 0;
          for (let t = 0; t < kernel.length; t++) sum += kernel[t]! * line[i + t]!;
          data[start + i * stride] = sum / total;
        }
      }
    stride *= n;
  }
}
