import { maxPool3d } from "../../kernels/resize/max_pool3d";
import type { Shape } from "../core/tensor";
import { elements } from "../core/tensor";
import { defineReference } from "./reference";

/** For each output the eight indices into x, in the order of the search. */
function windows(shape: Shape): number[][] {
  const [N = 0, C = 0, D = 0, H = 0, W = 0] = shape;
  const [OD, OH, OW] = [D >> 1, H >> 1, W >> 1];
  return Array.from({ length: N * C * OD * OH * OW }, (_, o) => {
    const [x, y, z] = [2 * (o % OW), 2 * (Math.floor(o / OW) % OH), Math.floor(o / OW / OH) % OD];
    const plane = Math.floor(o / (OD * OH * OW));
    return Array.from({ length: 8 }, (_, k) => {
      const [dz, dy, dx] = [k >> 2, (k >> 1) & 1, k & 1];
      return ((plane * D + 2 * z + dz) * H + y + dy) * W + x + dx;
    });
  });
}

function argmax(x: Float64Array, indices: readonly number[]): number {
  const values = indices.map((i) => x[i]!);
  return values.indexOf(Math.max(...values));
}

export const maxPool3dReference = defineReference({
  op: maxPool3d,
  f16: { inputs: ["x"] },
  scalable: ["x"],
  sized: [
    {
      base: { N: 1, C: 2, D: 3, H: 4, W: 5 },
      large: { N: 4, C: 16, D: 32, H: 32, W: 32 },
      edges: { N: [2], C: [2], D: [3, 8], H: [3, 8], W: [4, 8, 64] },
      make: ({ N = 0, C = 0, D = 0, H = 0, W = 0 }) => ({
        inputs: { x: [N, C, D, H, W] },
        attrs: {},
      }),
    },
  ],
  cases: [
    { id: "even", inputs: { x: [2, 3, 4, 6, 8] }, attrs: {} },
    { id: "odd", inputs: { x: [2, 3, 5, 7, 9] }, attrs: {} },
    { id: "odd_last_only", inputs: { x: [1, 2, 2, 4, 3] }, attrs: {} },
    { id: "more_than_a_workgroup", inputs: { x: [2, 2, 8, 6, 16] }, attrs: {} },
    {
      id: "views",
      inputs: { x: [2, 3, 4, 3, 8] },
      attrs: {},
      views: { x: { first: 2, total: 7 }, dy: { first: 1, total: 5 } },
    },
    { id: "ties", inputs: { x: [2, 2, 6, 6, 6] }, attrs: {}, smooth: false },
    { id: "all_negative", inputs: { x: [1, 1, 4, 4, 4] }, attrs: {} },
  ],
  types: { argmax: "u32" },
  data(c, rng): { x?: Float64Array } {
    const fill = (value: () => number) =>
      Float64Array.from({ length: elements(c.inputs.x!) }, value);
    if (c.id === "ties") return { x: fill(() => rng.int(2) - 1) };
    return c.id === "all_negative" ? { x: fill(() => -1 - rng.uniform()) } : {};
  },
  forward({ x }, shapes) {
    const all = windows(shapes.x!);
    return {
      y: Float64Array.from(all, (w) => x![w[argmax(x!, w)]!]!),
      argmax: Float64Array.from(all, (w) => argmax(x!, w)),
    };
  },
  backward({ x }, shapes, _attrs, { y: dy }) {
    const dx = new Float64Array(x!.length);
    for (const [o, w] of windows(shapes.x!).entries()) dx[w[argmax(x!, w)]!]! += dy![o]!;
    return { x: dx };
  },
  bound: () => 0,
});
