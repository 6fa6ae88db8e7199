import { logValues } from "../../kernels/rows/log_values";
import type { Shape } from "../core/tensor";
import { defineReference } from "./reference";

const inputs = (count: number, K: number, width: number): Record<string, Shape> => ({
  ...{ values: [count], step: [16], log: [K, width] },
});
const ROW: Record<string, number> = { odd: 3, one: 0, many: 1, past_the_end: 4 };

export const logValuesReference = defineReference({
  op: logValues,
  cases: [
    { id: "odd", inputs: inputs(5, 7, 13), attrs: { column: 8 } },
    { id: "one", inputs: inputs(1, 1, 1), attrs: { column: 0 } },
    { id: "many", inputs: inputs(150, 3, 160), attrs: { column: 5 } },
    { id: "past_the_end", inputs: inputs(2, 4, 9), attrs: { column: 3 } },
  ],
  data(c) {
    const step = new Float64Array(16);
    step[3] = ROW[c.id]!;
    return { step };
  },
  forward({ values, step, log }, shapes, { column }) {
    const [K = 0, width = 0] = shapes.log!;
    const out = log!.slice();
    if (step![3]! < K) out.set(values!, step![3]! * width + column);
    return { log: out };
  },
  bound: () => 0,
});
