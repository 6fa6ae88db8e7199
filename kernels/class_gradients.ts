import wgsl from "../shaders/class_gradients.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import { elements, showShape } from "../src/core/tensor";

const kernel = defineKernel({
  name: "class_gradients",
  source: wgsl,
  bindings: { dx: "read", labels: "read", y: "read_write" },
  args: ["N", "S"],
  grid: (c) => grid1d(num(c, "N"), 1),
  flops: (c) => 2 * product(c, "N", "S"),
});

/**
 * y: (N, 2), the sums of squares of a gradient dx (N, 1, D, H, W) over the lesion voxels of each patch
 * (target above 0.5) and over its others.
 */
export const classGradients = defineOp({
  name: "classGradients",
  forward(g, { dx, target }) {
    if (showShape(dx!.shape) !== showShape(target!.shape)) {
      throw new Error(
        `classGradients: dx is ${showShape(dx!.shape)}, target is ${showShape(target!.shape)}; ` +
          "expected equal",
      );
    }
    const [N = 1, ...rest] = dx!.shape;
    const y = g.tensor("class_gradients", [N, 2]);
    const tensors = { dx: dx!, labels: target!, y };
    g.emit(kernel, tensors, { WG: 256 }, { N, S: elements(rest) });
    return { y };
  },
});
