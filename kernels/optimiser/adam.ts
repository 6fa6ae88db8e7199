import wgsl from "../../shaders/optimiser/adam.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "adam",
  source: wgsl,
  bindings: {
    ...{ g: "read", step: "read", w: "read_write", m: "read_write", v: "read_write" },
    ...{ average: "read_write", scale: "read" },
  },
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
  flops: (c) => 17 * num(c, "COUNT"),
  bytes: (c) => 36 * num(c, "COUNT"),
});

export interface AdamAttrs {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
}

/**
 * One Adam step on flat buffers: m and v take in the gradient, then
 * w −= step[0] · m / (√v · step[1] + eps), with step[0] = lr / (1 − β1ᵗ) and
 * step[1] = 1 / √(1 − β2ᵗ) (Kingma & Ba 2015; ε as in PyTorch, no weight decay). In the same pass
 * the momentum network's weights, average = μ · average + (1 − μ) · w with μ = step[2] (paper,
 * algorithm 1): μ = 1 leaves every bit of them, μ = 0 copies w. With a loss scale (kernels/loss/loss_scale.ts)
 * g is that of the scaled loss, and nothing changes where the step is to be skipped.
 */
export const adam = defineOp<AdamAttrs>({
  name: "adam",
  mutates: ["w", "m", "v", "average"],
  forward(g, inputs, { beta1, beta2, eps }) {
    const COUNT = elements(inputs.w!.shape);
    for (const name of ["g", "m", "v", "average"]) {
      if (elements(inputs[name]!.shape) === COUNT) continue;
      throw new Error(
        `adam: w is ${showShape(inputs.w!.shape)}, ${name} is ` +
          `${showShape(inputs[name]!.shape)}; expected equal`,
      );
    }
    const scale = inputs.scale ?? inputs.step!; // bound, not read, without one
    g.emit(
      kernel,
      { ...inputs, scale },
      {
        SCALED: Boolean(inputs.scale),
        ...{ COUNT, BETA1: beta1, BETA2: beta2, EPSILON: eps, WG: 64 },
        ...{ ONE_MINUS_BETA1: 1 - beta1, ONE_MINUS_BETA2: 1 - beta2 },
      },
    );
    return {};
  },
});
