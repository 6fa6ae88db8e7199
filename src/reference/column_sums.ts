import { columnSums } from "../../kernels/rows/column_sums";
import { defineReference } from "./reference";

export const columnSumsReference = defineReference({
  op: columnSums,
  cases: [
    { id: "terms", inputs: { x: [7, 4] }, attrs: {} },
    { id: "one_row", inputs: { x: [1, 3] }, attrs: {} },
    { id: "more_than_a_workgroup", inputs: { x: [3, 131] }, attrs: {} },
  ],
  forward({ x }, shapes) {
    const [N = 1, K = 1] = shapes.x!;
    const sum = (k: number) => {
      let total = 0;
      for (let n = 0; n < N; n++) total += x![n * K + k]!;
      return total;
    };
    return { y: Float64Array.from({ length: K }, (_, k) => sum(k)) };
  },
  bound: (_name, { x }, shapes) =>
    shapes.x![0]! * 2 ** -24 * x!.reduce((sum, v) => sum + Math.abs(v), 0),
});
