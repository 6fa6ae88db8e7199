import { sigmoid } from "../../kernels/elementwise/sigmoid";
import { ELEMENTWISE } from "./elementwise";
import { defineReference } from "./reference";

const U = 2 ** -24;
const probability = (x: number) => 1 / (1 + Math.exp(-x));
/** p (1 − p) without the cancellation of 1 − p. */
const slope = (x: number) => probability(x) * probability(-x);

export const sigmoidReference = defineReference({
  op: sigmoid,
  sized: ELEMENTWISE,
  cases: [
    { id: "odd", inputs: { x: [3, 5, 7, 3, 3] }, attrs: {} },
    { id: "vectors", inputs: { x: [3, 7, 5, 4, 3] }, attrs: {} },
    { id: "extreme", inputs: { x: [9] }, attrs: {} },
  ],
  data(c): { x?: Float64Array } {
    if (c.id !== "extreme") return {};
    return { x: Float64Array.of(0, 1e-30, 20, -20, 80, -80, 1000, -1000, 3e38) };
  },
  forward: ({ x }) => ({ y: x!.map(probability) }),
  backward: ({ x }, _shapes, _attrs, { y: dy }) => ({ x: dy!.map((d, i) => d * slope(x![i]!)) }),
  // WGSL lets exp(x) err by 3 + 2|x| units in the last place; results below 1e-30 may become 0.
  bound(name, { x }, _shapes, _attrs, dys) {
    const exact = name === "y" ? x!.map(probability) : x!.map((v, i) => dys!.y![i]! * slope(v));
    return exact.map((v, i) => (16 + 4 * Math.abs(x![i]!)) * U * Math.abs(v) + 1e-30);
  },
});
