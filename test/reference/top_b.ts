import { topB } from "../../kernels/top_b";
import { defineReference } from "./reference";

/** NaN above everything; −0 is 0. */
function value(error: number): number {
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}

/** Descending, NaN first, equal ones by index. */
function order(errors: Float64Array): number[] {
  return [...errors.keys()].sort((a, b) => {
    const [x, y] = [errors[a]!, errors[b]!];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? -1 : 1;
    return value(x) === value(y) ? a - b : value(y) - value(x);
  });
}

export const topBReference = defineReference({
  op: topB,
  sized: [
    {
      base: { E: 130, COUNT: 9 },
      edges: { E: [64, 128, 256, 1024], COUNT: [2, 32] },
      make: ({ E = 0, COUNT = 0 }) => ({
        inputs: { errors: [E] },
        attrs: { count: Math.min(E, COUNT) },
      }),
    },
  ],
  cases: [
    { id: "paper_128_32", inputs: { errors: [128] }, attrs: { count: 32 } },
    { id: "ties_77_20", inputs: { errors: [77] }, attrs: { count: 20 } },
    { id: "all_equal_70_70", inputs: { errors: [70] }, attrs: { count: 70 } },
    { id: "special_values_61_61", inputs: { errors: [61] }, attrs: { count: 61 } },
    { id: "all_nan_9_4", inputs: { errors: [9] }, attrs: { count: 4 } },
    { id: "one_1_1", inputs: { errors: [1] }, attrs: { count: 1 } },
    { id: "most_4096_1000", inputs: { errors: [4096] }, attrs: { count: 1000 } },
  ],
  types: { indices: "u32" },
  data(c, rng) {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1, -1];
    const draw: Record<string, () => number> = {
      ties: () => rng.int(7) / 7,
      all_equal: () => 0.25,
      special_values: () => special[rng.int(special.length)]!,
      all_nan: () => Number.NaN,
    };
    const kind = c.id.replace(/_\d+_\d+$/, "");
    const errors = Float64Array.from({ length: c.inputs.errors![0]! }, () =>
      Math.fround((draw[kind] ?? (() => rng.normal()))()),
    );
    return { errors };
  },
  forward: ({ errors }, _shapes, { count }) => ({
    indices: Float64Array.from(order(errors!).slice(0, count)),
  }),
  bound: () => 0,
  cost: ({ errors }) => ({ flops: errors![0]! ** 2, bytes: 4 * errors![0]! }),
});
