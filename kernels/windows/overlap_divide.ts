import wgsl from "../../shaders/windows/overlap_divide.wgsl" with { type: "text" };
import { defineKernel, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "overlap_divide",
  source: wgsl,
  bindings: {
    total: "read_write",
    weightZ: "read",
    weightY: "read",
    weightX: "read",
  },
  args: ["z0", "PLANES", "H", "W"],
  grid: (c) => [
    Math.ceil(num(c, "W") / num(c, "WG")),
    num(c, "H"),
    Math.ceil(num(c, "PLANES") / num(c, "VPT")),
  ],
  flops: (c) => 3 * product(c, "PLANES", "H", "W"),
  bytes: (c) => 8 * product(c, "PLANES", "H", "W"),
});

/**
 * sum /= weightZ · weightY · weightX in place: the weighted mean over overlapping windows. sum:
 * (planes, H, W), from plane z0 of the volume on; weightZ: (D), weightY: (H), weightX: (W): the sum
 * of the weights of all windows over each position along an axis, above 0.
 */
export const overlapDivide = defineOp<{ readonly z0: number }>({
  name: "overlapDivide",
  mutates: ["sum"],
  forward(g, { sum, weightZ, weightY, weightX }, { z0 }) {
    const [PLANES = 0, H = 0, W = 0] = sum!.shape;
    const [d, h, w] = [weightZ!, weightY!, weightX!].map((t) => elements(t.shape));
    if (h !== H || w !== W || z0 < 0 || z0 + PLANES > d!) {
      throw new Error(
        `overlapDivide: sum is ${showShape(sum!.shape)} from plane ${z0} on, the weights have ` +
          `${d}, ${h} and ${w} elements; expected at least ${z0 + PLANES}, ${H} and ${W}`,
      );
    }
    const tensors = { total: sum!, weightZ: weightZ!, weightY: weightY!, weightX: weightX! };
    g.emit(kernel, tensors, { WG: 64, VPT: 8 }, { z0, PLANES, H, W });
    return {};
  },
});
