import { lossScale, lossSeed } from "../../kernels/loss/loss_scale";
import { defineReference } from "./reference";

export const lossSeedReference = defineReference({
  op: lossSeed,
  sized: [
    {
      base: { COUNT: 7 },
      large: { COUNT: 32 },
      edges: { COUNT: [64, 128, 1024] },
      make: ({ COUNT = 0 }) => ({ inputs: { scale: [4] }, attrs: { count: COUNT, value: 0.25 } }),
    },
  ],
  cases: [
    { id: "odd", inputs: { scale: [4] }, attrs: { count: 67, value: 1 / 32 } },
    { id: "one", inputs: { scale: [4] }, attrs: { count: 1, value: 1 } },
  ],
  data: () => ({ scale: Float64Array.of(1024, 0, 0, 0) }),
  forward: ({ scale }, _shapes, { count, value }) => ({
    y: new Float64Array(count).fill(Math.fround(value * scale![0]!)),
  }),
  bound: () => 0,
});

/** The places and values of a case's overflow, and the scale before. */
const CASES: Readonly<Record<string, { at?: number; value?: number; scale: number }>> = {
  finite: { scale: 32768 },
  infinite_last: { at: 2999, value: Number.POSITIVE_INFINITY, scale: 32768 },
  minus_infinite_first: { at: 0, value: Number.NEGATIVE_INFINITY, scale: 4 },
  not_a_number: { at: 1500, value: Number.NaN, scale: 2 },
  not_below_one: { at: 7, value: Number.NaN, scale: 1 },
};

export const lossScaleReference = defineReference({
  op: lossScale,
  sized: [
    {
      base: { P: 7 },
      large: { P: 2 ** 20 },
      edges: { P: [64, 256, 1024, 4096] },
      make: ({ P = 0 }) => ({ inputs: { g: [P], scale: [4] }, attrs: {} }),
    },
  ],
  cases: Object.keys(CASES).map((id) => ({
    ...{ id, inputs: { g: [3000], scale: [4] }, attrs: {} },
    always: id === "not_below_one",
  })),
  data(c, rng) {
    const count = c.inputs.g![0]!;
    const last = { at: count - 1, value: Number.POSITIVE_INFINITY, scale: 64 };
    const { at, value, scale } = CASES[c.id] ?? last;
    // The largest finite numbers are no overflow.
    const g = Float64Array.from({ length: count }, () => Math.fround(3.4e38 * rng.uniform(-1, 1)));
    if (at !== undefined) g[at] = value!;
    return { g, scale: Float64Array.of(scale, 0, 5, 0) };
  },
  forward({ g, scale }) {
    const [before = 0, , skipped = 0] = scale!;
    if (g!.every(Number.isFinite))
      return { scale: Float64Array.of(before, 1 / before, skipped, 0) };
    return { scale: Float64Array.of(Math.max(1, before / 2), 0, skipped + 1, 0) };
  },
  bound: () => 0,
});
