import dxSource from "../shaders/dice_dx.wgsl" with { type: "text" };
import sumsSource from "../shaders/dice_sums.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import { elements, showShape } from "../src/core/tensor";

const sumsKernel = defineKernel({
  name: "dice_sums",
  source: sumsSource,
  bindings: { logits: "read", labels: "read", loss: "read_write", sums: "read_write" },
  args: ["N", "S"],
  grid: (c) => grid1d(num(c, "N"), 1),
  flops: (c) => 8 * product(c, "N", "S"),
});

const dxKernel = defineKernel({
  name: "dice_dx",
  source: dxSource,
  bindings: { logits: "read", labels: "read", sums: "read", dloss: "read", dx: "read_write" },
  grid: (c) => grid1d(num(c, "N") * num(c, "CHUNKS"), 1),
  flops: (c) => 8 * product(c, "N", "S"),
});

const DX_WG = 64;
const DX_VPT = 8;

export interface DiceAttrs {
  /** ε of the ratio; it decides what an empty patch costs. */
  readonly epsilon: number;
}

/**
 * Soft Dice loss of each patch on its own, 1 − (2Σpy + ε)/(Σp + Σy + ε) with p = sigmoid(logits).
 * logits, target (0 or 1): (N, 1, D, H, W). loss: (N); sums: (N, 3) = Σpy, Σp, Σy. Also the error
 * by which hard examples are mined. Only `loss` has a gradient, only `logits` receives one.
 */
export const diceLoss = defineOp<DiceAttrs>({
  name: "diceLoss",
  forward(g, { logits, target }, { epsilon }) {
    if (!logits || !target || showShape(logits.shape) !== showShape(target.shape)) {
      throw new Error(
        `diceLoss: logits are ${showShape(logits!.shape)}, target is ` +
          `${showShape(target!.shape)}; expected equal`,
      );
    }
    const [N = 1, ...rest] = logits.shape;
    const loss = g.tensor("loss", [N]);
    const sums = g.tensor("dice_sums", [N, 3]);
    const tensors = { logits, labels: target, loss, sums };
    g.emit(sumsKernel, tensors, { EPSILON: epsilon, WG: 256 }, { N, S: elements(rest) });
    return { loss, sums };
  },
  backward(g, { inputs, outputs, attrs }, { loss: dloss }) {
    if (!dloss) throw new Error("diceLoss: only the output loss is differentiable");
    const logits = inputs.logits!;
    const [N = 1, ...rest] = logits.shape;
    const S = elements(rest);
    const { tensor: dx, accumulate } = g.into(logits);
    g.emit(
      dxKernel,
      { logits, labels: inputs.target!, sums: outputs.sums!, dloss, dx },
      {
        ...{ N, S, CHUNKS: Math.ceil(S / (DX_WG * DX_VPT)), EPSILON: attrs.epsilon },
        ...{ ACCUMULATE: accumulate, WG: DX_WG, VPT: DX_VPT },
      },
    );
    return { logits: dx };
  },
});
