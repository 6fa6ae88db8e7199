import {
  type HalfwaySamplesAttrs,
  halfwaySamples,
  POSE_NUMBERS,
  SAMPLE_ROWS,
} from "../../kernels/registration/halfway_samples";
import type { Philox } from "../core/random";
import { elements, type Shape } from "../core/tensor";
import { largestMagnitude } from "./magnitude";
import { type Case, defineReference } from "./reference";

type Vec3 = [number, number, number];

/** Rows of the 3 × 4 matrix and of the 3 × 3 matrix of one visit, turned by `angle` about z and x. */
function placing(size: Shape, points: Shape, angle: number, scale: number) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const turn = [c, -s * c, s * s, s, c * c, -s * c, 0, s, c].map((v) => scale * v);
  const centre = (shape: Shape) => shape.map((n) => (n - 1) / 2).reverse();
  const [from, to] = [centre(points), centre(size)];
  const rows = [0, 1, 2].flatMap((r) => {
    const row = turn.slice(3 * r, 3 * r + 3);
    return [...row, to[r]! + 0.113 - row.reduce((sum, v, k) => sum + v * from[k]!, 0)];
  });
  return { rows, turn };
}

interface Problem {
  readonly visit1: Shape;
  readonly visit2: Shape;
  readonly size: readonly [number, number, number];
}

const problems: Record<string, Problem> = {
  turned: { visit1: [9, 11, 10], visit2: [7, 12, 13], size: [8, 9, 11] },
  thin: { visit1: [2, 9, 8], visit2: [3, 8, 9], size: [3, 7, 5] },
  mostly_outside: { visit1: [4, 4, 4], visit2: [4, 4, 4], size: [9, 9, 9] },
  one_point: { visit1: [5, 5, 5], visit2: [5, 6, 5], size: [1, 1, 1] },
};

function poseOf(visit1: Shape, visit2: Shape, size: Shape): Float64Array {
  const one = placing(visit1, size, 0.2371, 0.871);
  const two = placing(visit2, size, -0.1933, 0.913);
  const numbers = [...one.rows, ...two.rows, ...one.turn, ...two.turn, 0.951, 1.052, -0.5];
  return Float64Array.from(numbers, Math.fround);
}

/** Value and gradient per voxel of the trilinear interpolation at u (x, y, z); none outside. */
function interpolate(x: Float64Array, shape: Shape, u: Vec3): [number, Vec3] | undefined {
  const size = [shape[2]!, shape[1]!, shape[0]!];
  if (u.some((v, k) => v < 0 || v > size[k]! - 1)) return undefined;
  const low = u.map((v, k) => Math.min(Math.floor(v), size[k]! - 2));
  const t = u.map((v, k) => v - low[k]!);
  let value = 0;
  const gradient: Vec3 = [0, 0, 0];
  for (let corner = 0; corner < 8; corner++) {
    const bit = (k: number) => (corner >> k) & 1;
    const weight = (k: number) => (bit(k) ? t[k]! : 1 - t[k]!);
    const at = ((low[2]! + bit(2)) * size[1]! + low[1]! + bit(1)) * size[0]! + low[0]! + bit(0);
    value += weight(0) * weight(1) * weight(2) * x[at]!;
    for (let k = 0; k < 3; k++) {
      const others = weight((k + 1) % 3) * weight((k + 2) % 3);
      gradient[k]! += (bit(k) ? 1 : -1) * others * x[at]!;
    }
  }
  return [value, gradient];
}

function apply(pose: Float64Array, first: number, columns: number, p: readonly number[]): Vec3 {
  const row = (r: number) =>
    p.reduce((sum, v, k) => sum + pose[first + columns * r + k]! * v, 0) +
    (columns === 4 ? pose[first + 4 * r + 3]! : 0);
  return [row(0), row(1), row(2)];
}

export const halfwaySamplesReference = defineReference<HalfwaySamplesAttrs>({
  op: halfwaySamples,
  cases: Object.entries(problems).flatMap(([id, { visit1, visit2, size }]) => {
    const inputs = { visit1, visit2, pose: [POSE_NUMBERS] };
    const plain: Case<HalfwaySamplesAttrs> = { id, inputs, attrs: { size } };
    return [plain, { ...plain, id: `${id}_masked`, inputs: { ...inputs, mask: size } }];
  }),
  sized: [
    {
      base: { D: 3, H: 3, W: 5 },
      edges: { W: [64] },
      make: ({ D = 0, H = 0, W = 0 }) => ({
        inputs: { visit1: [5, 6, 7], visit2: [6, 5, 8], pose: [POSE_NUMBERS] },
        attrs: { size: [D, H, W] },
      }),
    },
  ],
  data(c, rng: Philox) {
    const pose = poseOf(c.inputs.visit1!, c.inputs.visit2!, c.attrs.size);
    const mask = Float64Array.from({ length: elements(c.attrs.size) }, () => rng.int(3) - 1);
    return c.inputs.mask ? { pose, mask } : { pose };
  },
  forward({ visit1, visit2, pose, mask }, shapes, { size }) {
    const count = elements(size);
    const samples = new Float64Array(SAMPLE_ROWS * count);
    for (let i = 0; i < count; i++) {
      if (mask?.[i] === 0) continue;
      const row = Math.floor(i / size[2]);
      const p = [i % size[2], row % size[1], Math.floor(row / size[1])];
      const a = interpolate(visit1!, shapes.visit1!, apply(pose!, 0, 4, p));
      const b = interpolate(visit2!, shapes.visit2!, apply(pose!, 12, 4, p));
      if (!a || !b || Math.max(a[0], b[0]) <= pose![44]!) continue;
      const [first, second] = [a[0] * pose![42]!, b[0] * pose![43]!];
      const [ga, gb] = [apply(pose!, 24, 3, a[1]), apply(pose!, 33, 3, b[1])];
      const values = [first - second, ...ga.map((v, k) => v + gb[k]!), (first + second) / 2, 1];
      values.forEach((value, k) => {
        samples[k * count + i] = value;
      });
    }
    return { samples };
  },
  // Coordinates of some voxels are good to 2⁻²¹ or so, and a gradient changes by a few values per voxel.
  bound(_name, { visit1, visit2 }) {
    const largest = Math.max(largestMagnitude(visit1!), largestMagnitude(visit2!));
    return 256 * 2 ** -24 * largest;
  },
});
