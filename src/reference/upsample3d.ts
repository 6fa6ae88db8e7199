import type { UpsampleAttrs } from "../../kernels/resize/upsample3d";
import { upsample3d } from "../../kernels/resize/upsample3d";
import type { Shape } from "../core/tensor";
import { channelsOf, makeTensor } from "../core/tensor";
import type { Values } from "./reference";
import { defineReference, halfOut } from "./reference";

/** Input positions and weights of output `o` along an axis of `n`, as PyTorch defines them. */
function taps(o: number, n: number, alignCorners: boolean): [index: number, weight: number][] {
  const at = alignCorners ? (o * (n - 1)) / (2 * n - 1) : Math.max(0, (o + 0.5) / 2 - 0.5);
  const low = Math.floor(at);
  return [
    [low, 1 - (at - low)],
    [Math.min(low + 1, n - 1), at - low],
  ];
}

/** Calls `visit` for each pair of an output and an input that feeds it. */
function forEachTap(
  shape: Shape,
  { alignCorners }: UpsampleAttrs,
  visit: (y: number, x: number, weight: number) => void,
): void {
  const [N = 0, C = 0, D = 0, H = 0, W = 0] = shape;
  for (let y = 0; y < N * C * 8 * D * H * W; y++) {
    const row = Math.floor(y / (2 * W));
    const slice = Math.floor(row / (2 * H));
    const plane = Math.floor(slice / (2 * D));
    for (const [iz, wz] of taps(slice % (2 * D), D, alignCorners)) {
      for (const [iy, wy] of taps(row % (2 * H), H, alignCorners)) {
        for (const [ix, wx] of taps(y % (2 * W), W, alignCorners)) {
          visit(y, ((plane * D + iz) * H + iy) * W + ix, wz * wy * wx);
        }
      }
    }
  }
}

function forward({ x }: Values, shape: Shape, attrs: UpsampleAttrs): Float64Array {
  const out = new Float64Array(8 * x!.length);
  forEachTap(shape, attrs, (o, i, weight) => {
    out[o]! += weight * x![i]!;
  });
  return out;
}

function backward(dy: Float64Array, shape: Shape, attrs: UpsampleAttrs): Float64Array {
  const dx = new Float64Array(dy.length / 8);
  forEachTap(shape, attrs, (o, i, weight) => {
    dx[i]! += weight * dy[o]!;
  });
  return dx;
}

const view = () => channelsOf(makeTensor("base", [2, 6, 6, 8, 10]), 2, 3);
const shapes: Record<string, Shape> = {
  odd: [2, 3, 3, 5, 7],
  rows: [2, 2, 18, 3, 8],
  single: [1, 2, 1, 1, 1],
  flat: [1, 2, 1, 2, 9],
};

export const upsample3dReference = defineReference<UpsampleAttrs>({
  op: upsample3d,
  f16: { inputs: ["x"], attrs: halfOut },
  scalable: ["x"],
  sized: [true, false].map((alignCorners) => ({
    base: { N: 1, C: 2, D: 2, H: 3, W: 4 },
    edges: { N: [2], C: [2], D: [2, 4, 16], H: [2, 4], W: [2, 4, 8, 32] },
    make: ({ N = 0, C = 0, D = 0, H = 0, W = 0 }) => ({
      id: `${D}x${H}x${W}_c${C}_n${N}_${alignCorners ? "aligned" : "unaligned"}`,
      inputs: { x: [N, C, D, H, W] },
      attrs: { alignCorners },
    }),
  })),
  cases: [true, false].flatMap((alignCorners) => [
    ...Object.entries(shapes).map(([name, x]) => ({
      id: `${name}_${alignCorners ? "aligned" : "unaligned"}`,
      inputs: { x },
      attrs: { alignCorners },
    })),
    {
      id: `row_views_${alignCorners ? "aligned" : "unaligned"}`,
      inputs: { x: [2, 3, 2, 3, 4] },
      attrs: { alignCorners, out: channelsOf(makeTensor("base", [2, 4, 4, 6, 8]), 1, 3) },
      views: { dy: { first: 2, total: 5 } },
    },
    {
      id: `views_${alignCorners ? "aligned" : "unaligned"}`,
      inputs: { x: [2, 3, 3, 4, 5] },
      attrs: { alignCorners, out: view() },
      views: { dy: { first: 1, total: 5 } },
    },
  ]),
  forward: (inputs, { x }, attrs) => ({ y: forward(inputs, x!, attrs) }),
  backward: (_inputs, { x }, attrs, { y: dy }) => ({ x: backward(dy!, x!, attrs) }),
  // Weights are positive: the same sums over absolute values bound the terms.
  bound(name, inputs, { x }, attrs, dys) {
    const terms =
      name === "y"
        ? forward({ x: inputs.x!.map(Math.abs) }, x!, attrs)
        : backward(dys!.y!.map(Math.abs), x!, attrs);
    return terms.map((sum) => 16 * 2 ** -24 * sum);
  },
});
