import {
  RESAMPLE_ORDERS,
  type ResampleAffineAttrs,
  type ResampleOrder,
  resampleAffine,
} from "../../kernels/volume/resample_affine";
import { elements, type Shape } from "../core/tensor";
import { largestMagnitude } from "./magnitude";
import { type Case, defineReference } from "./reference";

interface Placing {
  readonly x: Shape;
  readonly size: readonly [number, number, number];
  /** Turn about two axes (radians), output voxels in voxels of x. */
  readonly angle: number;
  readonly scale: number;
}

const placings: Record<string, Placing> = {
  turned: { x: [7, 9, 8], size: [6, 8, 9], angle: 0.31, scale: 0.83 },
  finer: { x: [4, 5, 6], size: [9, 11, 13], angle: -0.17, scale: 0.4 },
  thin: { x: [1, 6, 5], size: [3, 4, 5], angle: 0.05, scale: 0.7 },
  mostly_outside: { x: [3, 3, 3], size: [8, 7, 6], angle: 1.1, scale: 1.3 },
};
const ORDERS = Object.keys(RESAMPLE_ORDERS) as ResampleOrder[];

const cases = Object.entries(placings).flatMap(([id, { x, size }]) =>
  ORDERS.map(
    (order): Case<ResampleAffineAttrs> => ({
      id: `${id}_${order}`,
      inputs: { x, matrix: [12] },
      attrs: { size, order },
    }),
  ),
);

/** Centre on centre, but for a shift that keeps coordinates from whole and half numbers. */
function matrixOf(x: Shape, size: Shape, angle: number, scale: number): Float64Array {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const turn = [c, -s * c, s * s, s, c * c, -s * c, 0, s, c].map((v) => scale * v);
  const centre = (shape: Shape) => shape.map((n) => (n - 1) / 2).reverse();
  const [from, to] = [centre(size), centre(x)];
  const rows = [0, 1, 2].flatMap((r) => {
    const row = turn.slice(3 * r, 3 * r + 3);
    return [...row, to[r]! + 0.0371 - row.reduce((sum, v, k) => sum + v * from[k]!, 0)];
  });
  return Float64Array.from(rows, Math.fround);
}

/** Voxels of one axis and their weights at coordinate c. */
function taps(c: number, size: number, order: ResampleOrder): [number, number][] {
  const held = (i: number) => Math.min(Math.max(i, 0), size - 1);
  if (order === "nearest") return [[held(Math.floor(c + 0.5)), 1]];
  const low = Math.floor(c);
  const reach = order === "cubic" ? 2 : 1;
  return Array.from({ length: 2 * reach }, (_, k) => {
    const at = low + k + 1 - reach;
    const d = Math.abs(c - at);
    const near = 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
    const far = -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2;
    return [held(at), order === "cubic" ? (d <= 1 ? near : far) : 1 - d];
  });
}

export const resampleAffineReference = defineReference<ResampleAffineAttrs>({
  op: resampleAffine,
  scalable: ["x"],
  cases,
  sized: ORDERS.map((order) => ({
    base: { D: 3, H: 4, W: 5 },
    edges: { W: [64] },
    make: ({ D = 0, H = 0, W = 0 }) => ({
      id: `to_${D}x${H}x${W}_${order}`,
      inputs: { x: [6, 5, 7], matrix: [12] },
      attrs: { size: [D, H, W] as const, order },
    }),
  })),
  data(c) {
    const placing = Object.entries(placings).find(([id]) => c.id.startsWith(`${id}_`))?.[1];
    const { angle, scale } = placing ?? { angle: 0.23, scale: 0.61 };
    return { matrix: matrixOf(c.inputs.x!, c.attrs.size, angle, scale) };
  },
  forward({ x, matrix }, shapes, { size, order }) {
    const [D = 0, H = 0, W = 0] = shapes.x!;
    const y = new Float64Array(elements(size));
    for (let i = 0; i < y.length; i++) {
      const row = Math.floor(i / size[2]);
      const p = [i % size[2], row % size[1], Math.floor(row / size[1]), 1];
      const [cx = 0, cy = 0, cz = 0] = [0, 1, 2].map((r) =>
        p.reduce((sum, v, k) => sum + matrix![4 * r + k]! * v, 0),
      );
      const outside = [
        [cx, W],
        [cy, H],
        [cz, D],
      ].some(([c, n]) => c! < -0.5 || c! > n! - 0.5);
      if (outside) continue;
      for (const [z, wz] of taps(cz, D, order))
        for (const [y1, wy] of taps(cy, H, order))
          for (const [x1, wx] of taps(cx, W, order))
            y[i]! += wz * wy * wx * x![(z * H + y1) * W + x1]!;
    }
    return { y };
  },
  // A coordinate of up to 64 voxels is good to 2⁻¹⁸, and a value changes by at most 2 values a voxel.
  bound: (_name, { x }, _shapes, { order }) =>
    order === "nearest" ? 0 : 400 * 2 ** -24 * largestMagnitude(x!),
});
