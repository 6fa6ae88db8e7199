import { concat } from "../../kernels/rows/concat";
import type { Shape } from "../core/tensor";
import { elements } from "../core/tensor";
import { defineReference } from "./reference";

/** The channels of both, sample by sample. */
function joined(a: Float64Array, b: Float64Array, N: number): Float64Array {
  const rows = (x: Float64Array, n: number) =>
    x.slice((n * x.length) / N, ((n + 1) * x.length) / N);
  return Float64Array.from(
    Array.from({ length: N }, (_, n) => [...rows(a, n), ...rows(b, n)]).flat(),
  );
}

/** Channels [first, first + count) of x: (N, total, S). */
function channels(x: Float64Array, shape: Shape, first: number, count: number, total: number) {
  const S = elements(shape.slice(2));
  return x.filter((_, i) => {
    const c = Math.floor(i / S) % total;
    return c >= first && c < first + count;
  });
}

const a = [3, 2, 3, 5, 1];
const b = [3, 5, 3, 5, 1];

export const concatReference = defineReference({
  op: concat,
  f16: { inputs: ["a", "b"] },
  scalable: ["a", "b"],
  sized: [
    {
      base: { N: 2, CA: 2, CB: 3, S: 7 },
      large: { N: 4, CA: 16, CB: 32, S: 32 ** 3 },
      edges: { CA: [2], CB: [2], S: [4, 64, 256] },
      make: ({ N = 0, CA = 0, CB = 0, S = 0 }) => ({
        inputs: { a: [N, CA, S], b: [N, CB, S] },
        attrs: {},
      }),
    },
  ],
  cases: [
    { id: "copy", inputs: { a, b }, attrs: {} },
    { id: "many", inputs: { a: [2, 3, 4, 7, 9], b: [2, 2, 4, 7, 9] }, attrs: {} },
    {
      id: "views_of_two",
      inputs: { a, b },
      attrs: {},
      views: { a: { first: 1, total: 4 }, b: { first: 0, total: 6 } },
    },
    {
      id: "vectors",
      inputs: { a: [3, 2, 2, 3, 4], b: [3, 5, 2, 3, 4] },
      attrs: {},
      views: { b: { first: 1, total: 7 } },
    },
    {
      id: "in_place",
      inputs: { a, b },
      attrs: {},
      views: { a: { base: "ab", first: 0, total: 7 }, b: { base: "ab", first: 2, total: 7 } },
    },
    {
      id: "one_tensor_in_wrong_order",
      inputs: { a, b },
      attrs: {},
      views: { a: { base: "ba", first: 5, total: 7 }, b: { base: "ba", first: 0, total: 7 } },
    },
  ],
  forward: (inputs, shapes) => ({ y: joined(inputs.a!, inputs.b!, shapes.a![0]!) }),
  backward(_inputs, shapes, _attrs, { y: dy }) {
    const [Ca, Cb] = [shapes.a![1]!, shapes.b![1]!];
    return {
      a: channels(dy!, shapes.a!, 0, Ca, Ca + Cb),
      b: channels(dy!, shapes.b!, Ca, Cb, Ca + Cb),
    };
  },
  bound: () => 0,
});
