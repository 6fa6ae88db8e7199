import wgsl from "../shaders/overlap_divide.wgsl" with { type: "text" };
import { defineKernel, num, product } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import { elements, showShape } from "../src/core/tensor";

const kernel = defineKernel({
  name: "overlap_divide",
  source: wgsl,
  bindings: {
    total: "read_write",
    countZ: "read",
    countY: "read",
    countX: "read",
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
 * sum /= countZ · countY · countX in place: the mean over overlapping windows. sum: (planes, H, W),
 * from plane z0 of the volume on; countZ: (D), countY: (H), countX: (W): windows that cover each
 * position along an axis, at least 1.
 */
export const overlapDivide = defineOp<{ readonly z0: number }>({
  name: "overlapDivide",
  mutates: ["sum"],
  forward(g, { sum, countZ, countY, countX }, { z0 }) {
    const [PLANES = 0, H = 0, W = 0] = sum!.shape;
    const [d, h, w] = [countZ!, countY!, countX!].map((t) => elements(t.shape));
    if (h !== H || w !== W || z0 < 0 || z0 + PLANES > d!) {
      throw new Error(
        `overlapDivide: sum is ${showShape(sum!.shape)} from plane ${z0} on, the counts have ` +
          `${d}, ${h} and ${w} elements; expected at least ${z0 + PLANES}, ${H} and ${W}`,
      );
    }
    const tensors = { total: sum!, countZ: countZ!, countY: countY!, countX: countX! };
    g.emit(kernel, tensors, { WG: 64, VPT: 8 }, { z0, PLANES, H, W });
    return {};
  },
});
