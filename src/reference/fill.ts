import { fill } from "../../kernels/elementwise/fill";
import { elements } from "../core/tensor";
import { defineReference } from "./reference";

export const fillReference = defineReference({
  op: fill,
  sized: [
    {
      base: { S: 7 },
      large: { S: 2 ** 22 },
      edges: { S: [4, 64, 256, 1024, 4096] },
      make: ({ S = 0 }) => ({ inputs: {}, attrs: { shape: [S], value: 0.75 } }),
    },
  ],
  cases: [
    { id: "odd", inputs: {}, attrs: { shape: [3, 5, 7], value: -2.5 } },
    { id: "vectors", inputs: {}, attrs: { shape: [3, 5, 76], value: 1e-30 } },
    { id: "zero", inputs: {}, attrs: { shape: [1], value: 0 } },
  ],
  forward: (_inputs, _shapes, { shape, value }) => ({
    y: new Float64Array(elements(shape)).fill(Math.fround(value)),
  }),
  bound: () => 0,
});
