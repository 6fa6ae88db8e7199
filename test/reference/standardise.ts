import { standardise } from "../../kernels/standardise";
import { elements } from "../../src/core/tensor";
import { defineReference } from "./reference";

export const standardiseReference = defineReference({
  op: standardise,
  cases: [
    { id: "odd_volume", inputs: { x: [7, 9, 11], params: [2] }, attrs: {} },
    { id: "flat_513", inputs: { x: [513], params: [2] }, attrs: {} },
  ],
  data: (_c, rng) => ({ params: Float64Array.of(100 + rng.normal(), 1 / 17) }),
  forward: ({ x, params }) => ({ y: x!.map((value) => (value - params![0]!) * params![1]!) }),
  bound: (_name, { x, params }) =>
    x!.map((value) => 4 * 2 ** -24 * (Math.abs(value) + Math.abs(params![0]!)) * params![1]!),
  cost: ({ x }) => ({ flops: 2 * elements(x!), bytes: 8 * elements(x!) }),
});
