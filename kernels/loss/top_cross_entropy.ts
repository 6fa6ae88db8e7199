import wgsl from "../../shaders/loss/top_cross_entropy.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "top_cross_entropy",
  source: wgsl,
  bindings: { logits: "read", labels: "read", values: "read_write", errors: "read_write" },
  args: ["N", "S", "K"],
  grid: (c) => grid1d(num(c, "N"), 1),
  flops: (c) => 20 * product(c, "N", "S"),
  bytes: (c) => 32 * product(c, "N", "S"),
});

/**
 * How hard a patch is by its hardest voxels: errors (N), the mean of the largest cross-entropies among
 * its S voxels, a share `share` of them (⌈share · S⌉). logits, target (0 to 1): (N, 1, D, H, W).
 */
export const topCrossEntropy = defineOp<{ readonly share: number }>({
  name: "topCrossEntropy",
  forward(g, { logits, target }, { share }) {
    const [N = 1, ...rest] = logits!.shape;
    const S = elements(rest);
    if (showShape(logits!.shape) !== showShape(target!.shape) || !(share > 0 && share <= 1)) {
      throw new Error(
        `topCrossEntropy: logits are ${showShape(logits!.shape)}, target is ` +
          `${showShape(target!.shape)}, share is ${share}; expected equal, and a share in (0, 1]`,
      );
    }
    const errors = g.tensor("top_errors", [N]);
    const values = g.tensor("cross_entropies", [N, S]);
    const tensors = { logits: logits!, labels: target!, values, errors };
    g.emit(kernel, tensors, { WG: 256 }, { N, S, K: Math.ceil(share * S) });
    return { errors };
  },
});
