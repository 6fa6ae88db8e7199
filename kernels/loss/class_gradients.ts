import wgsl from "../../shaders/loss/class_gradients.wgsl" with { type: "text" };
import { defineKernel, grid1d, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";
import { partialSumSplits } from "../partial_sums";
import { emitSumOfParts } from "../sum_parts";
import { byVectorWidth, vectorWidth } from "../vector_width";

const kernel = byVectorWidth(
  defineKernel({
    name: "class_gradients",
    source: wgsl,
    bindings: { dx: "read", labels: "read", y: "read_write" },
    args: ["N", "S", "SPLITS"],
    grid: (c) => grid1d(product(c, "N", "SPLITS"), 1),
    flops: (c) => 2 * product(c, "N", "S"),
  }),
);

/** Vectors of a part of a patch, where there are parts. */
const PART = 512;

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
    const WIDTH = vectorWidth(elements(rest));
    const S = elements(rest) / WIDTH;
    const SPLITS = partialSumSplits(S, PART, g.caps);
    const parts = SPLITS > 1 ? g.tensor("class_parts", [SPLITS, N, 2]) : y;
    const tensors = { dx: dx!, labels: target!, y: parts };
    g.emit(kernel(WIDTH), tensors, { WIDTH, WG: 256 }, { N, S, SPLITS });
    if (SPLITS > 1) emitSumOfParts(g, parts, y, false);
    return { y };
  },
});
