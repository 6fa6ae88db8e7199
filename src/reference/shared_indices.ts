import { sharedIndices } from "../../kernels/mining/shared_indices";
import type { Shape } from "../core/tensor";
import { defineReference } from "./reference";

const pair = (n: number): Record<string, Shape> => ({ a: [n], b: [n] });

export const sharedIndicesReference = defineReference({
  op: sharedIndices,
  cases: [
    { id: "some_32", inputs: pair(32), attrs: {} },
    { id: "more_than_a_workgroup_131", inputs: pair(131), attrs: {} },
    { id: "same_9", inputs: pair(9), attrs: {} },
    { id: "one_1", inputs: pair(1), attrs: {} },
  ],
  types: { a: "u32", b: "u32" },
  data(c, rng) {
    const n = c.inputs.a![0]!;
    const chosen = () => {
      const all = Array.from({ length: 3 * n }, (_, i) => ({ i, order: rng.uniform() }));
      const drawn = all.sort((p, q) => p.order - q.order).slice(0, n);
      return Float64Array.from(drawn, ({ i }) => i);
    };
    const a = chosen();
    return { a, b: c.id.startsWith("same") ? a.toReversed() : chosen() };
  },
  forward({ a, b }) {
    const among = new Set(b);
    return { y: Float64Array.of(a!.filter((i) => among.has(i)).length / a!.length) };
  },
  bound: () => 2 ** -24,
});
