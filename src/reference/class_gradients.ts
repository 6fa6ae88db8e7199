import { classGradients } from "../../kernels/loss/class_gradients";
import { elements, type Shape } from "../core/tensor";
import { defineReference } from "./reference";

const inputs = (shape: Shape): Record<string, Shape> => ({ dx: shape, target: shape });

export const classGradientsReference = defineReference({
  op: classGradients,
  cases: [
    { id: "odd", inputs: inputs([3, 1, 5, 7, 9]), attrs: {} },
    { id: "one_voxel", inputs: inputs([2, 1, 1, 1, 1]), attrs: {} },
    { id: "more_than_a_workgroup", inputs: inputs([2, 1, 9, 11, 13]), attrs: {} },
    { id: "parts", inputs: inputs([5, 1, 11, 14, 18]), attrs: {} },
  ],
  data: (c, rng) => ({
    target: Float64Array.from({ length: elements(c.inputs.target!) }, () =>
      Number(rng.uniform() < 0.3),
    ),
  }),
  forward({ dx, target }, shapes) {
    const N = shapes.dx![0]!;
    const S = dx!.length / N;
    const y = new Float64Array(2 * N);
    dx!.forEach((d, i) => {
      y[2 * Math.floor(i / S) + (target![i]! > 0.5 ? 0 : 1)]! += d * d;
    });
    return { y };
  },
  bound: (_name, { dx }) => 64 * 2 ** -24 * dx!.reduce((sum, d) => sum + d * d, 0),
});
