import { writeSlice } from "../../kernels/rows/write_slice";
import { defineReference } from "./reference";

export const writeSliceReference = defineReference({
  op: writeSlice,
  scalable: ["src", "dst"],
  sized: [
    {
      base: { BEFORE: 3, COUNT: 9, AFTER: 5 },
      large: { BEFORE: 64, COUNT: 2 ** 20, AFTER: 64 },
      edges: { BEFORE: [1, 64], COUNT: [8, 64, 512, 1024], AFTER: [1, 64] },
      make: ({ BEFORE = 0, COUNT = 0, AFTER = 0 }) => ({
        inputs: { dst: [BEFORE + COUNT + AFTER], src: [COUNT] },
        attrs: { offset: BEFORE },
      }),
    },
  ],
  cases: [
    { id: "start_100_21", inputs: { dst: [100], src: [21] }, attrs: { offset: 0 } },
    { id: "end_131_70", inputs: { dst: [131], src: [70] }, attrs: { offset: 61 } },
    { id: "middle_1200_1041", inputs: { dst: [1200], src: [1041] }, attrs: { offset: 120 } },
    { id: "all_5_5", inputs: { dst: [5], src: [5] }, attrs: { offset: 0 } },
  ],
  forward({ dst, src }, _shapes, { offset }) {
    const out = dst!.slice();
    out.set(src!, offset);
    return { dst: out };
  },
  bound: () => 0,
});
