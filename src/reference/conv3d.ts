import type { Geometry } from "../../kernels/conv3d/contract";
import { type ConvAttrs, conv3d } from "../../kernels/conv3d/conv3d";
import { type Cursors, type Element, roundingBound } from "./element";
import { fromElements } from "./from_elements";
import type { Case, Shapes, Sizes } from "./reference";
import { defineReference } from "./reference";

type Attrs = ConvAttrs;

function layer(id: string, n: number, cin: number, cout: number, space: number[], k = 3) {
  const inputs = { x: [n, cin, ...space], w: [cout, cin, k, k, k], b: [cout] };
  return { id, inputs, attrs: {} } satisfies Case<Attrs>;
}

const outputs = ({ x, w }: Shapes): Shapes => ({ y: [x![0]!, w![0]!, ...x!.slice(2)] });

function geometryOf({ x, w }: Shapes): Geometry {
  const [N = 0, CIN = 0, D = 0, H = 0, W = 0] = x!;
  const [COUT = 0, , K = 0] = w!;
  return { N, CIN, COUT, D, H, W, K };
}

const inside = (at: number, n: number): boolean => at >= 0 && at < n;

/** Steps along z, y and x of tap `t` of K³. */
function stepsOf(t: number, K: number): [number, number, number] {
  const R = (K - 1) / 2;
  return [Math.floor(t / K ** 2) - R, (Math.floor(t / K) % K) - R, (t % K) - R];
}

/** Index in a volume of voxel `s` moved by tap `t`; undefined outside of it. */
function moved(s: number, t: number, { D, H, W, K }: Geometry): number | undefined {
  const [stepZ, stepY, stepX] = stepsOf(t, K);
  const z = Math.floor(s / (H * W)) + stepZ;
  const y = (Math.floor(s / W) % H) + stepY;
  const x = (s % W) + stepX;
  return inside(z, D) && inside(y, H) && inside(x, W) ? (z * H + y) * W + x : undefined;
}

const sumOf = (value: number, size: number, terms: number): Element => ({
  ...{ value, size, terms },
  bound: roundingBound(terms, size),
});

/** A voxel of y. */
function voxel({ x, w, b }: Cursors, geometry: Geometry, i: number): Element {
  const { CIN, COUT, D, H, W, K } = geometry;
  const [S, T] = [D * H * W, K ** 3];
  const [n, co, s] = [Math.floor(i / (COUT * S)), Math.floor(i / S) % COUT, i % S];
  b!.at(co);
  let { value, size } = b!;
  for (let t = 0; t < T; t++) {
    const from = moved(s, t, geometry);
    if (from === undefined) continue;
    for (let ci = 0; ci < CIN; ci++) {
      w!.at((co * CIN + ci) * T + t);
      x!.at((n * CIN + ci) * S + from);
      value += x!.value * w!.value;
      size += x!.size * w!.size;
    }
  }
  return sumOf(value, size, CIN * T + 1);
}

/** A voxel of dx: y took it from where the opposite tap finds y. */
function inputGradient({ w, dy }: Cursors, geometry: Geometry, i: number): Element {
  const { CIN, COUT, D, H, W, K } = geometry;
  const [S, T] = [D * H * W, K ** 3];
  const [n, ci, s] = [Math.floor(i / (CIN * S)), Math.floor(i / S) % CIN, i % S];
  let [value, size] = [0, 0];
  for (let t = 0; t < T; t++) {
    const to = moved(s, t, geometry);
    if (to === undefined) continue;
    for (let co = 0; co < COUT; co++) {
      w!.at((co * CIN + ci) * T + (T - 1 - t));
      dy!.at((n * COUT + co) * S + to);
      value += dy!.value * w!.value;
      size += dy!.size * w!.size;
    }
  }
  return sumOf(value, size, COUT * T + 1);
}

/** An element of dw: a sum over every voxel of the batch. */
function weightGradient({ x, dy }: Cursors, geometry: Geometry, i: number): Element {
  const { N, CIN, COUT, D, H, W, K } = geometry;
  const [S, T] = [D * H * W, K ** 3];
  const [co, ci, t] = [Math.floor(i / (CIN * T)), Math.floor(i / T) % CIN, i % T];
  const [stepZ, stepY, stepX] = stepsOf(t, K);
  const step = (stepZ * H + stepY) * W + stepX;
  let [value, size] = [0, 0];
  for (let n = 0; n < N; n++) {
    for (let row = 0; row < D * H; row++) {
      if (!inside(Math.floor(row / H) + stepZ, D) || !inside((row % H) + stepY, H)) continue;
      const last = Math.min(W, W - stepX);
      for (let column = Math.max(0, -stepX); column < last; column++) {
        const s = row * W + column;
        x!.at((n * CIN + ci) * S + s + step);
        dy!.at((n * COUT + co) * S + s);
        value += x!.value * dy!.value;
        size += x!.size * dy!.size;
      }
    }
  }
  return sumOf(value, size, N * S);
}

/** An element of db. */
function biasGradient({ dy }: Cursors, { N, COUT, D, H, W }: Geometry, co: number): Element {
  const S = D * H * W;
  let [value, size] = [0, 0];
  for (let n = 0; n < N; n++) {
    for (let s = 0; s < S; s++) {
      dy!.at((n * COUT + co) * S + s);
      value += dy!.value;
      size += dy!.size;
    }
  }
  return sumOf(value, size, N * S);
}

const ELEMENTS = { y: voxel, dx: inputGradient, dw: weightGradient, db: biasGradient };

/** An element of y, dx, dw or db, each read from `shapes.x` and `shapes.w`. */
export function conv3dElement(name: string, i: number, cursors: Cursors, shapes: Shapes): Element {
  return ELEMENTS[name as keyof typeof ELEMENTS](cursors, geometryOf(shapes), i);
}

function sizedLayer({ N = 0, CIN = 0, COUT = 0, D = 0, H = 0, W = 0, K = 0 }: Sizes) {
  const id = `${K === 1 ? "k1_" : ""}${D}x${H}x${W}_c${CIN}x${COUT}_n${N}`;
  return layer(id, N, CIN, COUT, [D, H, W], K);
}

export const conv3dReference = defineReference<Attrs>({
  op: conv3d,
  f16: { inputs: ["x"] },
  parameters: ["w", "b"],
  scalable: ["x", "b"],
  sized: [
    {
      base: { N: 1, CIN: 3, COUT: 5, D: 3, H: 5, W: 7, K: 3 },
      large: { N: 4, CIN: 16, COUT: 16, D: 32, H: 32, W: 32, K: 3 },
      edges: {
        ...{ N: [2], CIN: [4, 8, 16], COUT: [8, 16, 32] },
        ...{ D: [4, 8], H: [4, 8], W: [4, 8, 16, 32] },
      },
      make: sizedLayer,
    },
    {
      base: { N: 1, CIN: 3, COUT: 5, D: 3, H: 4, W: 7, K: 1 },
      edges: { N: [2], CIN: [4, 16], COUT: [4, 8], W: [4, 16, 64] },
      make: sizedLayer,
    },
  ],
  crowded: [layer("k1_65537_samples", 65537, 1, 1, [1, 1, 2], 1)],
  cases: [
    layer("c1x1_1x1x1", 1, 1, 1, [1, 1, 1]),
    layer("c3x5_3x5x7", 2, 3, 5, [3, 5, 7]),
    layer("c2x16_4x4x8", 2, 2, 16, [4, 4, 8]),
    layer("c2x8_5x3x9", 1, 2, 8, [5, 3, 9]),
    layer("c16x17_2x9x5", 2, 16, 17, [2, 9, 5]),
    layer("c11x33_3x3x6", 1, 11, 33, [3, 3, 6]),
    layer("c24x8_4x6x4", 2, 24, 8, [4, 6, 4]),
    layer("c8x8_8x8x8", 1, 8, 8, [8, 8, 8]),
    layer("c9x10_5x3x20", 2, 9, 10, [5, 3, 20]),
    layer("c3x9_6x9x16", 1, 3, 9, [6, 9, 16]),
    layer("c10x3_9x2x12", 2, 10, 3, [9, 2, 12]),
    layer("c5x9_2x5x19", 2, 5, 9, [2, 5, 19]),
    layer("c2x3_2x5x37", 1, 2, 3, [2, 5, 37]),
    // More than the largest tile along every axis, and three voxels more than whole vectors along a row.
    { ...layer("c2x3_5x9x39", 1, 2, 3, [5, 9, 39]), always: true },
    // More planes and columns than the parts of the weights' gradient, and no multiple of them.
    layer("c16x17_5x3x4_n5", 5, 16, 17, [5, 3, 4]),
    { ...layer("c33x64_2x2x3_n29", 29, 33, 64, [2, 2, 3]), always: "w" },
    layer("k1_c16x1_4x5x6", 2, 16, 1, [4, 5, 6], 1),
    layer("k1_c5x3_3x2x7", 2, 5, 3, [3, 2, 7], 1),
    // More voxels than a part of the sums over them has on a GPU, in vectors and not.
    layer("k1_c3x2_13x17x20", 2, 3, 2, [13, 17, 20], 1),
    layer("k1_c2x3_11x9x7", 1, 2, 3, [11, 9, 7], 1),
    // Of tensors in f16 a result in f32, as the network's logits.
    { ...layer("k1_c8x1_4x4x4_f32", 3, 8, 1, [4, 4, 4], 1), attrs: { dtype: "f32" } },
  ],
  ...fromElements(outputs, conv3dElement),
});
