/** Volumes of noise and small networks whose window predictions are easy to compute otherwise. */
import { conv3d } from "../kernels/conv3d/conv3d";
import { sigmoid } from "../kernels/elementwise/sigmoid";
import type { Graph } from "../src/core/graph";
import { Philox } from "../src/core/random";
import { state, type Tensor } from "../src/core/tensor";
import type { Size3 } from "../src/data/volume";
import type { VolumeSource } from "../src/data/volume_store";
import type { Memory } from "../src/gpu/memory";
import { flipsOf } from "../src/infer/mirror";
import type { Network } from "../src/infer/window_options";
import { windowGrid } from "../src/infer/windows";
import type { Mirror, WindowWeights } from "../src/settings/names";

export function source(size: Size3, visit1: Float32Array, visit2 = visit1): VolumeSource {
  return { id: "test", size, lesions: [], load: async () => ({ visit1, visit2, labels: [] }) };
}

export function noise(count: number, seed: number): Float32Array {
  const random = new Philox(seed, 7);
  return Float32Array.from({ length: count }, () => random.normal());
}

/** Gives back the channels times `weights`, summed: the first visit if absent. */
export function pointwise(memory: Memory, weights: readonly number[] = [1, 0]): Network {
  const [w, b] = [state("w", [1, weights.length, 1, 1, 1]), state("b", [1])];
  memory.write(w, new Float32Array(weights));
  memory.write(b, new Float32Array([0]));
  return (g: Graph, x: Tensor) => g.apply(conv3d, { x, w, b }, { dtype: "f32" }).y!;
}

const BIAS = 0.1;
const weightsOf = (seed: number) => noise(54, seed);

/** A network whose output depends on the place in the window: a convolution and a sigmoid. */
export function edgy(memory: Memory, seed = 3): Network {
  const [w, b] = [state("w", [1, 2, 3, 3, 3]), state("b", [1])];
  memory.write(w, weightsOf(seed));
  memory.write(b, new Float32Array([BIAS]));
  return (g: Graph, x: Tensor) => {
    const logits = g.apply(conv3d, { x, w, b }, {}).y!;
    return g.apply(sigmoid, { x: logits }, {}).y!;
  };
}

export interface Averaging {
  readonly patch: number;
  readonly stride: number;
  readonly windowWeights: WindowWeights;
  readonly mirror: Mirror;
}

/** Calls `visit` with every offset in a cube of edge n. */
function forEachOffset(n: number, visit: (z: number, y: number, x: number) => void): void {
  for (let z = 0; z < n; z++)
    for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) visit(z, y, x);
}

/** `edgy` on one patch of both visits, in float64. */
function edgyOf(patch: readonly Float64Array[], n: number, seed: number): Float64Array {
  const w = weightsOf(seed);
  const p = new Float64Array(n ** 3);
  forEachOffset(n, (z, y, x) => {
    let logit = Math.fround(BIAS);
    for (const [c, channel] of patch.entries()) {
      forEachOffset(3, (dz, dy, dx) => {
        const at = [z + dz - 1, y + dy - 1, x + dx - 1] as const;
        if (at.some((i) => i < 0 || i >= n)) return;
        logit += w[((c * 3 + dz) * 3 + dy) * 3 + dx]! * channel[(at[0] * n + at[1]) * n + at[2]]!;
      });
    }
    p[(z * n + y) * n + x] = 1 / (1 + Math.exp(-logit));
  });
  return p;
}

/**
 * What averaging windows of `edgy` should give, in float64: every window of every flip on its own,
 * weighted by the Gaussian's formula, divided by the sum of weights voxel by voxel.
 */
export function averagedByHand(
  [nx, ny, nz]: Size3,
  visits: readonly Float32Array[],
  { patch: n, stride, windowWeights, mirror }: Averaging,
  seed = 3,
): Float64Array {
  const [sum, weights] = [new Float64Array(nx * ny * nz), new Float64Array(nx * ny * nz)];
  const gaussian = (i: number) => Math.exp(-((i - (n - 1) / 2) ** 2) / 2 / (n / 8) ** 2);
  const weight = windowWeights === "uniform" ? () => 1 : gaussian;
  const within = (i: number, size: number) => Math.min(i, size - 1);
  for (const [z0, y0, x0] of windowGrid([nx, ny, nz], n, stride)) {
    for (const flip of flipsOf(mirror)) {
      const turned = (i: number, bit: number) => ((flip & bit) === 0 ? i : n - 1 - i);
      const inside = (z: number, y: number, x: number) =>
        (turned(z, 4) * n + turned(y, 2)) * n + turned(x, 1);
      const patch = visits.map((visit) => {
        const values = new Float64Array(n ** 3);
        forEachOffset(n, (z, y, x) => {
          const [vz, vy, vx] = [within(z0 + z, nz), within(y0 + y, ny), within(x0 + x, nx)];
          values[inside(z, y, x)] = visit[(vz * ny + vy) * nx + vx]!;
        });
        return values;
      });
      const p = edgyOf(patch, n, seed);
      forEachOffset(n, (z, y, x) => {
        if (z0 + z >= nz || y0 + y >= ny || x0 + x >= nx) return;
        const voxel = ((z0 + z) * ny + y0 + y) * nx + x0 + x;
        const w = weight(z) * weight(y) * weight(x);
        sum[voxel]! += w * p[inside(z, y, x)]!;
        weights[voxel]! += w;
      });
    }
  }
  return sum.map((value, i) => value / weights[i]!);
}
