import type { Graph } from "../../src/core/graph";
import { defineOp } from "../../src/core/op";
import type { Tensor } from "../../src/core/tensor";
import { showShape } from "../../src/core/tensor";
import { preferred } from "../defaults";
import { normalisedOf, normGradientOf } from "../norm/normalised";
import { type BackwardProblem, type ForwardProblem, geometryOf } from "./contract";
import { convVariants } from "./forward";
import { emitBiasGradient, weightGradientVariants } from "./gradients";

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
 * b (COUT). x may be a channel view. Variants and measurements: docs/engine/convolution.md.
 */
export const conv3d = defineOp<ConvAttrs>({
  name: "conv3d",
  variants: { conv3d: convVariants, conv3d_dx: convVariants, conv3d_dw: weightGradientVariants },
  defers: ["x", "dy"],
  forward(g, { x, w, b }, { moments: wanted, dtype }) {
    if (!x || !w || !b) throw new Error("conv3d: needs x, w and b");
    checkShapes(x, w, b);
    const [n, , ...space] = x.shape;
    const y = g.tensor("conv", [n!, w.shape[0]!, ...space], dtype ?? x.dtype);
    const geometry = geometryOf(x, y, w);
    const left = wanted === true && g.options.fuse !== false;
    const { stored, F16 } = storage(x, y);
    const problem: ForwardProblem = {
      ...{ ...geometry, F16 },
      ...{ NORM: unread(g, x), MOMENTS: Number(left) },
    };
    const variants = preferred("conv3d", convVariants, g.caps, problem);
    const variant = g.pick("conv3d", variants, problem, stored);
    const outputs: Record<string, Tensor> = { y };
    if (left && variant.momentParts) {
      const T = variant.momentParts(geometry, g.caps);
      outputs.moments = g.tensor("moments", [n!, w.shape[0]!, T, 3]);
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
    } else if (dx) emitInputGradient(g, { x, dy: dy!, w, dx });
    return grads;
  },
});

/** f16 if one of them is: the other is logits or their gradient. */
function storage(a: Tensor, b: Tensor) {
  const stored = a.dtype === "f16" ? a.dtype : b.dtype;
  return { stored, F16: Number(stored === "f16") };
}

/** `t` as a variant can read it. */
const readable = (g: Graph, { fuses }: { readonly fuses?: boolean }, t: Tensor) =>
  fuses && (normalisedOf(t) || normGradientOf(t)) ? t : g.materialise(t);

/** 1 if `t` is the output of a normalisation, or a gradient through one, that nothing has written. */
const unread = (g: Graph, t: Tensor) =>
  Number(!g.isWritten(t) && Boolean(normalisedOf(t) || normGradientOf(t)));

type Gradients = Readonly<Record<"x" | "dy" | "w" | "dx", Tensor>>;

/** The same for both gradients of a convolution, which may share work. */
function contextOf(g: Graph, { x, dy, dx }: Omit<Gradients, "dx"> & { dx?: Tensor }) {
  return { NORM: unread(g, x), NORM_DY: unread(g, dy), DX: Number(dx !== undefined) };
}

function pickInputGradient(g: Graph, t: Gradients) {
  const geometry = geometryOf(t.dy, t.dx, t.w);
  const { stored, F16 } = storage(t.dy, t.dx);
  const problem: BackwardProblem = { ...geometry, F16, ...contextOf(g, t) };
  const variants = preferred("conv3d_dx", convVariants, g.caps, problem);
  const variant = g.pick("conv3d_dx", variants, problem, stored);
  return { geometry, variant };
}

function emitInputGradient(g: Graph, t: Gradients): void {
  const { geometry, variant } = pickInputGradient(g, t);
  variant.emit(g, { x: g.materialise(t.dy), w: t.w, y: t.dx }, geometry);
}

/** dw and, where there is one, dx; together if both go through the same transform of dy. */
function emitGradients(
  g: Graph,
  t: Readonly<Record<"x" | "dy" | "w" | "dw", Tensor>> & { readonly dx?: Tensor },
  accumulate: boolean,
): void {
  const geometry = geometryOf(t.x, t.dy, t.w);
  const { stored, F16 } = storage(t.x, t.dy);
  const problem: BackwardProblem = { ...geometry, F16, ...contextOf(g, t) };
  const variants = preferred("conv3d_dw", weightGradientVariants, g.caps, problem);
  const variant = g.pick("conv3d_dw", variants, problem, stored);
  const { dx, w, dw } = t;
  const input = dx && { ...pickInputGradient(g, { ...t, dx }), dx };
  const [x, dy] = [readable(g, variant, t.x), readable(g, variant, t.dy)];
  if (input && variant.both && input.variant.name === variant.name) {
    variant.both(g, { x, dy, w, dw, dx: input.dx }, geometry, accumulate);
    return;
  }
  g.launching(variant);
  variant.emit(g, { x, dy, dw }, geometry, accumulate);
  if (!input) return;
  g.launching(input.variant);
  input.variant.emit(g, { x: g.materialise(t.dy), w, y: input.dx }, input.geometry);
}
