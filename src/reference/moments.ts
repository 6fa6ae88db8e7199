import type { MomentsAttrs } from "../../kernels/norm/moments";
import { moments } from "../../kernels/norm/moments";
import { elements } from "../core/tensor";
import type { Values } from "./reference";
import { defineReference } from "./reference";

/** Elements of one row of partials. */
const PIECE = 8192;

/** The elements of each piece that count. */
function pieces({ x, mask }: Values, { nonzero }: MomentsAttrs): number[][] {
  const count = Math.ceil(x!.length / PIECE);
  return Array.from({ length: count }, (_, k) =>
    [...x!.slice(k * PIECE, (k + 1) * PIECE)].filter(
      (value, i) => (!nonzero || value !== 0) && mask?.[k * PIECE + i] !== 0,
    ),
  );
}

const mean = (values: number[]) =>
  values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;

export const momentsReference = defineReference<MomentsAttrs>({
  op: moments,
  scalable: ["x"],
  sized: [
    {
      base: { S: 63 },
      large: { S: 2 ** 22 },
      edges: { S: [2, 64, 128, PIECE, 2 * PIECE] },
      make: ({ S = 0 }) => ({ inputs: { x: [S] }, attrs: {} }),
    },
  ],
  cases: [
    { id: "three_pieces", inputs: { x: [17003] }, attrs: {} },
    { id: "offset_1000", inputs: { x: [3, 5, 7] }, attrs: {} },
    { id: "nonzero", inputs: { x: [9001] }, attrs: { nonzero: true } },
    { id: "mask", inputs: { x: [8300], mask: [8300] }, attrs: {} },
    { id: "mask_and_nonzero", inputs: { x: [300], mask: [300] }, attrs: { nonzero: true } },
    { id: "nothing_taken", inputs: { x: [300], mask: [300] }, attrs: {} },
  ],
  data(c, rng) {
    const zeros = c.attrs.nonzero ? 0.4 : 0;
    const centre = c.id === "offset_1000" ? 1000 : 3;
    const fill = (draw: () => number) => Float64Array.from({ length: elements(c.inputs.x!) }, draw);
    const x = fill(() => (rng.uniform() < zeros ? 0 : centre + rng.normal()));
    const share = c.id === "nothing_taken" ? 0 : 0.6;
    return c.inputs.mask ? { x, mask: fill(() => (rng.uniform() < share ? 1 : 0)) } : { x };
  },
  forward(inputs, _shapes, attrs) {
    const rows = pieces(inputs, attrs).map((values) => {
      const centre = mean(values);
      return [values.length, centre, values.reduce((sum, v) => sum + (v - centre) ** 2, 0)];
    });
    return { partials: Float64Array.from(rows.flat()) };
  },
  // 128 terms a lane, then 64 lanes, at random signs; the deviations carry the mean's error.
  bound(_name, inputs, _shapes, attrs) {
    const rows = pieces(inputs, attrs).map((values) => {
      const centre = mean(values);
      const slip = 16 * 2 ** -24 * mean(values.map(Math.abs));
      const variance = mean(values.map((v) => (v - centre) ** 2));
      return [0, slip, values.length * (32 * 2 ** -24 * variance + slip ** 2)];
    });
    return Float64Array.from(rows.flat());
  },
});
