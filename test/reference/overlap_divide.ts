import { overlapDivide } from "../../kernels/overlap_divide";
import type { Shape } from "../../src/core/tensor";
import { elements } from "../../src/core/tensor";
import { defineReference } from "./reference";

const shapes = (planes: number, D: number, H: number, W: number): Record<string, Shape> => ({
  sum: [planes, H, W],
  countZ: [D],
  countY: [H],
  countX: [W],
});

export const overlapDivideReference = defineReference({
  op: overlapDivide,
  cases: [
    { id: "whole_9x5x7", inputs: shapes(9, 9, 5, 7), attrs: { z0: 0 } },
    { id: "slab_13_of_21x6x11", inputs: shapes(13, 21, 6, 11), attrs: { z0: 8 } },
    { id: "one_voxel", inputs: shapes(1, 1, 1, 1), attrs: { z0: 0 } },
  ],
  data(c, rng) {
    const counts = (name: string) =>
      Float64Array.from({ length: c.inputs[name]![0]! }, () => 1 + rng.int(3));
    return { countZ: counts("countZ"), countY: counts("countY"), countX: counts("countX") };
  },
  forward({ sum, countZ, countY, countX }, shapes, { z0 }) {
    const [, H = 0, W = 0] = shapes.sum!;
    const mean = sum!.map((value, i) => {
      const [z, row, column] = [Math.floor(i / (H * W)), Math.floor(i / W) % H, i % W];
      return value / (countZ![z0 + z!]! * countY![row!]! * countX![column!]!);
    });
    return { sum: mean };
  },
  // One division, which WGSL allows to be 2.5 units in the last place off.
  bound: (_name, { sum }) => sum!.map((value) => 4 * 2 ** -24 * Math.abs(value)),
  cost: ({ sum }) => ({ flops: 3 * elements(sum!), bytes: 8 * elements(sum!) }),
});
