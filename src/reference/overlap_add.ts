import type { OverlapAttrs } from "../../kernels/windows/overlap_add";
import { NO_WINDOW, overlapAdd } from "../../kernels/windows/overlap_add";
import type { Shape } from "../core/tensor";
import type { Shapes, Values } from "./reference";
import { defineReference } from "./reference";

const shapes = (rows: number, n: number, size: Shape, sum: Shape): Record<string, Shape> => ({
  p: [rows, 1, ...size],
  windows: [n, 4],
  weights: [size.reduce((sum, edge) => sum + edge, 0)],
  sum,
});
const odd: OverlapAttrs = { size: [9, 4, 5], z0: 0, D: 11 };
/** Taller than the column of planes that a thread does. */
const tall: OverlapAttrs = { size: [67, 2, 3], z0: 20, D: 100 };
const flat: OverlapAttrs = { size: [1, 3, 2], z0: 3, D: 9 };

/** Calls `visit` with an element of sum, one of p and its weight, window by window. */
function forEachPair(
  { windows, weights }: Values,
  { sum }: Shapes,
  { size: [PD, PH, PW], z0 }: OverlapAttrs,
  visit: (i: number, j: number, weight: number) => void,
): void {
  const [planes = 0, H = 0, W = 0] = sum!;
  for (let n = 0; n < windows!.length; n += 4) {
    const row = windows![n + 3]!;
    if (row === NO_WINDOW) continue;
    const [cz = 0, cy = 0, cx = 0] = [...windows!.slice(n, n + 3)].map((v) => v | 0);
    for (let s = 0; s < PD * PH * PW; s++) {
      const [dz, dy, dx] = [Math.floor(s / (PH * PW)), Math.floor(s / PW) % PH, s % PW];
      const [z, y, x] = [cz + dz - z0, cy + dy, cx + dx];
      if (z < 0 || z >= planes || y < 0 || y >= H || x < 0 || x >= W) continue;
      const weight = weights![dz]! * weights![PD + dy]! * weights![PD + PH + dx]!;
      visit((z * H + y) * W + x, row * PD * PH * PW + s, weight);
    }
  }
}

export const overlapAddReference = defineReference<OverlapAttrs>({
  op: overlapAdd,
  scalable: ["p", "sum"],
  sized: [
    {
      base: { COUNT: 5, PD: 4, PH: 3, PW: 5, D: 7 },
      large: { COUNT: 16, PD: 32, PH: 32, PW: 32, D: 64 },
      edges: { COUNT: [2, 16, 64], PD: [4, 16, 64], PH: [4], PW: [4, 16], D: [8] },
      make: ({ COUNT = 0, PD = 0, PH = 0, PW = 0, D = 0 }) => ({
        inputs: shapes(COUNT, COUNT, [PD, PH, PW], [D, 6, 9]),
        attrs: { size: [PD, PH, PW], z0: 0, D },
      }),
    },
  ],
  cases: [
    { id: "odd_whole_volume", inputs: shapes(9, 7, odd.size, [11, 9, 13]), attrs: odd },
    { id: "slab", inputs: shapes(6, 6, odd.size, [4, 7, 8]), attrs: { ...odd, z0: 5 } },
    { id: "tall_windows", inputs: shapes(7, 7, tall.size, [70, 4, 5]), attrs: tall },
    { id: "flat_windows", inputs: shapes(30, 40, flat.size, [6, 5, 4]), attrs: flat },
    { id: "all_on_one_place", inputs: shapes(5, 5, odd.size, [11, 9, 13]), attrs: odd },
    { id: "volume_smaller", inputs: shapes(2, 2, odd.size, [3, 2, 3]), attrs: { ...odd, D: 3 } },
  ],
  types: { windows: "u32" },
  data(c, rng) {
    const { size, D } = c.attrs;
    const [, H = 1, W = 1] = c.inputs.sum!;
    const windows = Array.from({ length: c.inputs.windows![0]! }, (_, n) => {
      const row = rng.int(c.inputs.p![0]!);
      if (c.id === "all_on_one_place") return [1, 2, 3, row];
      if (n % 6 === 4) return [0, 0, 0, NO_WINDOW];
      const corner = [D, H, W].map((t, axis) => rng.int(t + 3) - Math.ceil(size[axis]! / 2));
      return [...corner.map((v) => v >>> 0), row];
    });
    return { windows: Float64Array.from(windows.flat()) };
  },
  forward(inputs, s, attrs) {
    const out = inputs.sum!.slice();
    forEachPair(inputs, s, attrs, (i, j, weight) => {
      out[i]! += weight * inputs.p![j]!;
    });
    return { sum: out };
  },
  bound(_name, inputs, s, attrs) {
    const terms = inputs.sum!.map(Math.abs);
    const counts = new Float64Array(terms.length);
    forEachPair(inputs, s, attrs, (i, j, weight) => {
      terms[i]! += Math.abs(weight * inputs.p![j]!);
      counts[i]!++;
    });
    // Three products a term, then the additions.
    return terms.map((sum, i) => 2 ** -24 * (counts[i]! + 4) * sum);
  },
});
