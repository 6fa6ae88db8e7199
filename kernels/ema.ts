import wgsl from "../shaders/ema.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import { elements, showShape } from "../src/core/tensor";

const kernel = defineKernel({
  name: "ema",
  source: wgsl,
  bindings: { w: "read", step: "read", average: "read_write" },
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
  flops: (c) => 3 * num(c, "COUNT"),
  bytes: (c) => 12 * num(c, "COUNT"),
});

/**
 * The momentum network's weights: average = μ · average + (1 − μ) · w with μ = step[2], on flat
 * buffers (paper, algorithm 1). μ = 1 leaves every bit of average, μ = 0 copies w.
 */
export const ema = defineOp({
  name: "ema",
  mutates: ["average"],
  forward(g, { average, w, step }) {
    const COUNT = elements(average!.shape);
    if (elements(w!.shape) !== COUNT) {
      throw new Error(
        `ema: average is ${showShape(average!.shape)}, w is ${showShape(w!.shape)}; expected equal`,
      );
    }
    g.emit(kernel, { w: w!, step: step!, average: average! }, { COUNT, WG: 64 });
    return {};
  },
});
