import { add } from "../../kernels/add";
import { elements } from "../../src/core/tensor";
import { defineReference } from "./reference";

const shape = [3, 5, 7, 3, 2];

export const addReference = defineReference({
  op: add,
  f16: { inputs: ["a", "b"] },
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
  bound: () => 1e-6,
  cost: ({ a }) => ({ flops: elements(a!), bytes: 12 * elements(a!) }),
});
