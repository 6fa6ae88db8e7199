import { relu } from "../../kernels/elementwise/relu";
import { ELEMENTWISE } from "./elementwise";
import { defineReference, type Values } from "./reference";

export const reluReference = defineReference({
  op: relu,
  scalable: ["x"],
  sized: ELEMENTWISE,
  cases: [
    { id: "odd", inputs: { x: [3, 5, 7, 3, 3] }, attrs: {} },
    { id: "vectors", inputs: { x: [3, 7, 5, 4, 3] }, attrs: {} },
    { id: "one", inputs: { x: [1] }, attrs: {} },
    { id: "zeros", inputs: { x: [70] }, attrs: {}, smooth: false },
  ],
  data: (c, rng): Partial<Values> =>
    c.id === "zeros" ? { x: Float64Array.from({ length: 70 }, () => rng.int(3) - 1) } : {},
  forward: ({ x }) => ({ y: x!.map((v) => Math.max(v, 0)) }),
  backward: ({ x }, _shapes, _attrs, { y: dy }) => ({ x: dy!.map((d, i) => (x![i]! > 0 ? d : 0)) }),
  bound: () => 0,
});
