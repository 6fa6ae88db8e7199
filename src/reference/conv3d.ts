import { type ConvAttrs, conv3d } from "../../kernels/conv3d/conv3d";
import { elements } from "../core/tensor";
import type { Case, Shapes, Sizes, Values } from "./reference";
import { defineReference } from "./reference";

type Attrs = ConvAttrs;

function layer(id: string, n: number, cin: number, cout: number, space: number[], k = 3) {
  const inputs = { x: [n, cin, ...space], w: [cout, cin, k, k, k], b: [cout] };
  return { id, inputs, attrs: {} } satisfies Case<Attrs>;
}

/** Calls `each` with the flat indices of (y, x, w) of every product of the convolution. */
function products(shapes: Shapes, each: (y: number, x: number, w: number) => void): void {
  const [N = 0, CIN = 0, D = 0, H = 0, W = 0] = shapes.x!;
  const [COUT = 0, , K = 0] = shapes.w!;
  const R = (K - 1) / 2;
  const inside = (z: number, y: number, x: number) =>
    z >= 0 && z < D && y >= 0 && y < H && x >= 0 && x < W;
  for (let t = 0; t < K ** 3; t++) {
    const [tz, ty, tx] = [Math.floor(t / K ** 2) - R, (Math.floor(t / K) % K) - R, (t % K) - R];
    for (let s = 0; s < D * H * W; s++) {
      const [z, y, x] = [Math.floor(s / (H * W)) + tz, (Math.floor(s / W) % H) + ty, (s % W) + tx];
      if (!inside(z, y, x)) continue;
      const from = (z * H + y) * W + x;
      for (let n = 0; n < N; n++) {
        for (let co = 0; co < COUT; co++) {
          for (let ci = 0; ci < CIN; ci++) {
            const wi = (co * CIN + ci) * K ** 3 + t;
            each((n * COUT + co) * D * H * W + s, (n * CIN + ci) * D * H * W + from, wi);
          }
        }
      }
    }
  }
}

function outputShape({ x, w }: Shapes): number[] {
  return [x![0]!, w![0]!, ...x!.slice(2)];
}

/** Calls `each` with the index and the channel of every element of a (N, C, …) tensor. */
function overChannels(shape: readonly number[], each: (i: number, c: number) => void): void {
  const S = elements(shape.slice(2));
  for (let i = 0; i < elements(shape); i++) each(i, Math.floor(i / S) % shape[1]!);
}

function forward({ x, w, b }: Values, shapes: Shapes): Values {
  const shape = outputShape(shapes);
  const y = new Float64Array(elements(shape));
  overChannels(shape, (i, c) => {
    y[i] = b![c]!;
  });
  products(shapes, (yi, xi, wi) => {
    y[yi]! += x![xi]! * w![wi]!;
  });
  return { y };
}

function backward({ x, w, b }: Values, shapes: Shapes, _attrs: Attrs, { y: dy }: Values): Values {
  const dx = new Float64Array(x!.length);
  const dw = new Float64Array(w!.length);
  const db = new Float64Array(b!.length);
  products(shapes, (yi, xi, wi) => {
    dx[xi]! += dy![yi]! * w![wi]!;
    dw[wi]! += dy![yi]! * x![xi]!;
  });
  overChannels(outputShape(shapes), (i, c) => {
    db[c]! += dy![i]!;
  });
  return { x: dx, w: dw, b: db };
}

/** 2 · 2⁻²⁴ · √K · Σ|terms|, K the number of terms: the same sums over absolute values. */
function bound(name: string, inputs: Values, shapes: Shapes, attrs: Attrs, dys?: Values) {
  const absolute = (values: Values): Values =>
    Object.fromEntries(Object.entries(values).map(([key, v]) => [key, v.map(Math.abs)]));
  const sums = dys
    ? backward(absolute(inputs), shapes, attrs, absolute(dys))[name.slice(1)]!
    : forward(absolute(inputs), shapes).y!;
  const [n = 0, cin = 0, ...space] = shapes.x!;
  const [cout = 0, , k = 0] = shapes.w!;
  const perVoxel = (name === "dx" ? cout : cin) * k ** 3 + 1;
  const terms = name === "dw" || name === "db" ? n * elements(space) : perVoxel;
  return sums.map((sum) => 2 * 2 ** -24 * Math.sqrt(terms) * sum);
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
      edges: {
        ...{ N: [2], CIN: [4, 8, 16], COUT: [8, 16, 32, 64] },
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
    layer("c2x3_2x5x37", 1, 2, 3, [2, 5, 37]), // more than the widest tile
    // More planes and columns than the parts of the weights' gradient, and no multiple of them.
    layer("c16x17_5x3x4_n5", 5, 16, 17, [5, 3, 4]),
    layer("c33x64_2x2x3_n29", 29, 33, 64, [2, 2, 3]),
    layer("k1_c16x1_4x5x6", 2, 16, 1, [4, 5, 6], 1),
    layer("k1_c5x3_3x2x7", 2, 5, 3, [3, 2, 7], 1),
    // More voxels than a part of the sums over them has on a GPU, in vectors and not.
    layer("k1_c3x2_15x17x20", 2, 3, 2, [15, 17, 20], 1),
    layer("k1_c2x3_11x9x7", 1, 2, 3, [11, 9, 7], 1),
    // Of tensors in f16 a result in f32, as the network's logits.
    { ...layer("k1_c8x1_4x4x4_f32", 3, 8, 1, [4, 4, 4], 1), attrs: { dtype: "f32" } },
  ],
  forward,
  backward,
  bound,
});
