import type { Graph } from "../src/core/graph";
import { defineOp } from "../src/core/op";
import type { Tensor } from "../src/core/tensor";
import { showShape } from "../src/core/tensor";
import { convVariants, geometryOf } from "./conv3d_forward";
import { conv3dTrials } from "./conv3d_trials";
import { emitBiasGradient, weightGradientVariants } from "./conv3d_weights";
import { preferred } from "./defaults";
import { normalisedOf, normGradientOf } from "./normalised";

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

export interface ConvAttrs {
  /** Asks for the moments that a group normalisation of y can use, where they come for free. */
  readonly moments?: boolean;
  /** How y is stored: as x if absent. */
  readonly dtype?: "f32" | "f16";
}

/**
 * 3-D convolution with zero padding and stride 1, PyTorch's Conv3d(kernel_size=k, padding=k//2)
 * with k = 3 or 1: y (N, COUT, D, H, W) from x (N, CIN, D, H, W), w (COUT, CIN, k, k, k) and
 * b (COUT). x may be a channel view. Variants and measurements: docs/convolution.md.
 */
export const conv3d = defineOp<ConvAttrs>({
  name: "conv3d",
  variants: { conv3d: convVariants, conv3d_dx: convVariants, conv3d_dw: weightGradientVariants },
  trials: conv3dTrials,
  defers: ["x", "dy"],
  forward(g, { x, w, b }, { moments: wanted, dtype }) {
    if (!x || !w || !b) throw new Error("conv3d: needs x, w and b");
    checkShapes(x, w, b);
    const [n, , ...space] = x.shape;
    const y = g.tensor("conv", [n!, w.shape[0]!, ...space], dtype ?? x.dtype);
    const geometry = geometryOf(x, y, w);
    const variants = preferred("conv3d", convVariants, g.caps, geometry);
    const variant = g.pick("conv3d", variants, geometry, storage(x, y));
    const outputs: Record<string, Tensor> = { y };
    if (wanted && variant.momentParts && g.options.fuse !== false) {
      outputs.moments = g.tensor("moments", [n!, w.shape[0]!, variant.momentParts(geometry), 3]);
    }
    variant.emit(g, { x: readable(g, variant, x), w, b, ...outputs, y }, geometry);
    return outputs;
  },
  backward(g, { inputs, needs }, { y: dy }) {
    const [x, w, b] = [inputs.x!, inputs.w!, inputs.b!];
    const grads: Record<string, Tensor> = {};
    if (needs.has("b")) {
      const { tensor: db, accumulate } = g.into(b);
      emitBiasGradient(g, dy!, db, accumulate);
      grads.b = db;
    }
    const dx = needs.has("x") ? g.into(x).tensor : undefined;
    if (dx) grads.x = dx;
    if (needs.has("w")) {
      const { tensor: dw, accumulate } = g.into(w);
      grads.w = dw;
      emitGradients(g, { x, dy: dy!, w, dw, dx }, accumulate);
    } else if (dx) emitInputGradient(g, dy!, w, dx);
    return grads;
  },
});

/** f16 if one of them is: the other is logits or their gradient. */
const storage = (a: Tensor, b: Tensor) => (a.dtype === "f16" ? a.dtype : b.dtype);

/** `t` as a variant can read it. */
const readable = (g: Graph, { fuses }: { readonly fuses?: boolean }, t: Tensor) =>
  fuses && (normalisedOf(t) || normGradientOf(t)) ? t : g.real(t);

function pickInputGradient(g: Graph, dy: Tensor, w: Tensor, dx: Tensor) {
  const geometry = geometryOf(dy, dx, w);
  const variants = preferred("conv3d_dx", convVariants, g.caps, geometry);
  const variant = g.pick("conv3d_dx", variants, geometry, storage(dy, dx));
  return { geometry, variant };
}

function emitInputGradient(g: Graph, dy: Tensor, w: Tensor, dx: Tensor): void {
  const { geometry, variant } = pickInputGradient(g, dy, w, dx);
  variant.emit(g, { x: g.real(dy), w, y: dx }, geometry);
}

/** dw and, where there is one, dx; together if both go through the same transform of dy. */
function emitGradients(
  g: Graph,
  t: Readonly<Record<"x" | "dy" | "w" | "dw", Tensor>> & { readonly dx?: Tensor },
  accumulate: boolean,
): void {
  const geometry = geometryOf(t.x, t.dy, t.w);
  const variants = preferred("conv3d_dw", weightGradientVariants, g.caps, geometry);
  const variant = g.pick("conv3d_dw", variants, geometry, storage(t.x, t.dy));
  const [x, dy] = [readable(g, variant, t.x), readable(g, variant, t.dy)];
  const { dx, w, dw } = t;
  if (!dx) variant.emit(g, { x, dy, dw }, geometry, accumulate);
  else if (variant.both && pickInputGradient(g, dy, w, dx).variant.name === variant.name) {
    variant.both(g, { x, dy, w, dw, dx }, geometry, accumulate);
  } else {
    variant.emit(g, { x, dy, dw }, geometry, accumulate);
    emitInputGradient(g, t.dy, w, dx);
  }
}
