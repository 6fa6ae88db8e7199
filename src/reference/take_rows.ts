import { takeRows } from "../../kernels/rows/take_rows";
import { elements } from "../core/tensor";
import { defineReference } from "./reference";

export const takeRowsReference = defineReference({
  op: takeRows,
  sized: [
    {
      base: { ROWS: 5, R: 3, COUNT: 11 },
      large: { ROWS: 128, R: 4, COUNT: 32 },
      edges: { ROWS: [2, 64], R: [2, 4], COUNT: [2, 16, 64, 256] },
      make: ({ ROWS = 0, R = 0, COUNT = 0 }) => ({
        inputs: { rows: [ROWS, R], indices: [COUNT] },
        attrs: {},
      }),
    },
  ],
  cases: [
    { id: "coords_37x4_to_13", inputs: { rows: [37, 4], indices: [13] }, attrs: {} },
    { id: "odd_5x3_to_70", inputs: { rows: [5, 3], indices: [70] }, attrs: {} },
  ],
  types: { rows: "u32", indices: "u32", y: "u32" },
  data: (c, rng) => ({
    rows: Float64Array.from({ length: elements(c.inputs.rows!) }, () => rng.u32()),
    indices: Float64Array.from({ length: c.inputs.indices![0]! }, () =>
      rng.int(c.inputs.rows![0]!),
    ),
  }),
  forward({ rows, indices }, shapes) {
    const R = shapes.rows![1]!;
    return {
      y: Float64Array.from([...indices!].flatMap((i) => [...rows!.slice(i * R, (i + 1) * R)])),
    };
  },
  bound: () => 0,
});
