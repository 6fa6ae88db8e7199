import { overlapDivide } from "../../kernels/windows/overlap_divide";
import type { Shape } from "../core/tensor";
import type { Shapes, Values } from "./reference";
import { defineReference } from "./reference";

const shapes = (planes: number, D: number, H: number, W: number): Record<string, Shape> => ({
  sum: [planes, H, W],
  weightZ: [D],
  weightY: [H],
  weightX: [W],
});

function meanOf({ sum, weightZ, weightY, weightX }: Values, shapes: Shapes, z0: number) {
  const [, H = 0, W = 0] = shapes.sum!;
  return sum!.map((value, i) => {
    const [z, row, column] = [Math.floor(i / (H * W)), Math.floor(i / W) % H, i % W];
    return value / (weightZ![z0 + z!]! * weightY![row!]! * weightX![column!]!);
  });
}

export const overlapDivideReference = defineReference<{ readonly z0: number }>({
  op: overlapDivide,
  scalable: ["sum"],
  sized: [
    {
      base: { D: 3, H: 4, W: 5 },
      large: { D: 128, H: 128, W: 128 },
      edges: { D: [2, 8], H: [2, 8], W: [4, 64, 256] },
      make: ({ D = 0, H = 0, W = 0 }) => ({ inputs: shapes(D, D, H, W), attrs: { z0: 0 } }),
    },
  ],
  cases: [
    { id: "whole_9x5x7", inputs: shapes(9, 9, 5, 7), attrs: { z0: 0 } },
    { id: "slab_13_of_21x6x11", inputs: shapes(13, 21, 6, 11), attrs: { z0: 8 } },
    { id: "one_voxel", inputs: shapes(1, 1, 1, 1), attrs: { z0: 0 } },
  ],
  data(c, rng) {
    // A Gaussian's weight at a border, or whole windows.
    const weights = (name: string) =>
      Float64Array.from({ length: c.inputs[name]![0]! }, () =>
        rng.int(2) === 0 ? Math.fround(3.4e-4 * (1 + rng.uniform())) : 1 + rng.int(3),
      );
    return {
      weightZ: weights("weightZ"),
      weightY: weights("weightY"),
      weightX: weights("weightX"),
    };
  },
  forward: (inputs, shapes, { z0 }) => ({ sum: meanOf(inputs, shapes, z0) }),
  // Two products, and a division, which WGSL allows to be 2.5 units in the last place off.
  bound: (_name, inputs, shapes, { z0 }) =>
    meanOf(inputs, shapes, z0).map((value) => 8 * 2 ** -24 * Math.abs(value)),
});
