import { add } from "../../kernels/elementwise/add";
import { defineReference } from "./reference";

const shape = [3, 5, 7, 3, 2];

export const addReference = defineReference({
  op: add,
  f16: { inputs: ["a", "b"] },
  scalable: ["a", "b"],
  sized: [
    {
      base: { N: 2, C: 3, S: 7 },
      large: { N: 4, C: 16, S: 32 ** 3 },
      edges: { C: [2], S: [4, 64, 256, 1024] },
      make: ({ N = 0, C = 0, S = 0 }) => ({ inputs: { a: [N, C, S], b: [N, C, S] }, attrs: {} }),
    },
  ],
  cases: [
    { id: "odd", inputs: { a: shape, b: shape }, attrs: {} },
    {
      id: "views",
      inputs: { a: [3, 5, 4, 2, 3], b: [3, 5, 4, 2, 3] },
      attrs: {},
      views: { a: { first: 2, total: 7 }, b: { first: 0, total: 6 } },
    },
  ],
  forward: ({ a, b }) => ({ y: a!.map((v, i) => v + b![i]!) }),
  backward: (_inputs, _shapes, _attrs, { y }) => ({ a: y!, b: y! }),
  // One addition, rounded once.
  bound(_name, { a, b }, _shapes, _attrs, dys) {
    return dys ? 0 : a!.map((v, i) => 2 ** -24 * Math.abs(v + b![i]!));
  },
});
