import { defineOp } from "../src/core/op";
import type { Tensor } from "../src/core/tensor";
import { showShape } from "../src/core/tensor";
import { convVariants, geometryOf } from "./conv3d_forward";
import { conv3dTrials } from "./conv3d_trials";
import { emitBiasGradient, weightGradientVariants } from "./conv3d_weights";
import { preferred } from "./defaults";

/** @throws Error naming what does not fit together */
function checkShapes(x: Tensor, w: Tensor, b: Tensor): void {
  const [, channels = 0] = x.shape;
  const [cout = 0, cin = 0, kd = 0, kh, kw] = w.shape;
  const shapes = `(x: ${showShape(x.shape)}, w: ${showShape(w.shape)}, b: ${showShape(b.shape)})`;
  if (x.shape.length !== 5 || w.shape.length !== 5) {
    throw new Error(`conv3d: x and w must have five dimensions ${shapes}`);
  }
  if (channels !== cin) {
    throw new Error(`conv3d: x has ${channels} channels, weights expect ${cin} ${shapes}`);
  }
  if ((kd !== 1 && kd !== 3) || kh !== kd || kw !== kd) {
    throw new Error(`conv3d: kernels are 1×1×1 or 3×3×3, weights are ${shapes}`);
  }
  if (showShape(b.shape) !== `${cout}`) {
    throw new Error(`conv3d: expected ${cout} biases ${shapes}`);
  }
}

/**
 * 3-D convolution with zero padding and stride 1, PyTorch's Conv3d(kernel_size=k, padding=k//2)
 * with k = 3 or 1: y (N, COUT, D, H, W) from x (N, CIN, D, H, W), w (COUT, CIN, k, k, k) and
 * b (COUT). x may be a channel view. Variants and measurements: docs/convolution.md.
 */
export const conv3d = defineOp({
  name: "conv3d",
  variants: { conv3d: convVariants, conv3d_dx: convVariants, conv3d_dw: weightGradientVariants },
  trials: conv3dTrials,
  forward(g, { x, w, b }) {
    if (!x || !w || !b) throw new Error("conv3d: needs x, w and b");
    checkShapes(x, w, b);
    const [n, , ...space] = x.shape;
    const y = g.tensor("conv", [n!, w.shape[0]!, ...space]);
    const geometry = geometryOf(x, y, w);
    const variants = preferred("conv3d", convVariants, g.caps, geometry);
    g.pick("conv3d", variants, geometry).emit(g, { x, w, b, y }, geometry);
    return { y };
  },
  backward(g, { inputs: { x, w, b }, needs }, { y: dy }) {
    const grads: Record<string, Tensor> = {};
    if (needs.has("x")) {
      const { tensor: dx } = g.into(x!);
      const geometry = geometryOf(dy!, dx, w!);
      const variants = preferred("conv3d_dx", convVariants, g.caps, geometry);
      g.pick("conv3d_dx", variants, geometry).emit(g, { x: dy!, w: w!, y: dx }, geometry);
      grads.x = dx;
    }
    if (needs.has("w")) {
      const { tensor: dw, accumulate } = g.into(w!);
      const geometry = geometryOf(x!, dy!, w!);
      const variants = preferred("conv3d_dw", weightGradientVariants, g.caps, geometry);
      g.pick("conv3d_dw", variants, geometry).emit(g, { x: x!, dy: dy!, dw }, geometry, accumulate);
      grads.w = dw;
    }
    if (needs.has("b")) {
      const { tensor: db, accumulate } = g.into(b!);
      emitBiasGradient(g, dy!, db, accumulate);
      grads.b = db;
    }
    return grads;
  },
});
