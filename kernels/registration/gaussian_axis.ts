/** Smoothing along one axis with a smaller grid in the same pass: the pyramid of registration. */
import wgsl from "../../shaders/registration/gaussian_axis.wgsl" with { type: "text" };
import { ceilDiv, defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "gaussian_axis",
  source: wgsl,
  bindings: { x: "read", taps: "read", y: "read_write" },
  args: ["TOTAL", "N", "N2", "INNER", "STRIDE", "R"],
  grid: (c) => grid1d(num(c, "TOTAL"), num(c, "WG")),
  flops: (c) => 2 * (2 * num(c, "R") + 1) * num(c, "TOTAL"),
});

export interface GaussianAxisAttrs {
  /** Axis of x (D, H, W): 0, 1 or 2. */
  readonly axis: 0 | 1 | 2;
  /** Input samples between two output samples; the first stays where it is. */
  readonly stride: number;
}

/** Weights of a Gaussian of standard deviation `sigma` (samples), out to 3 σ, with sum 1. */
export function gaussianTaps(sigma: number): Float32Array {
  const radius = Math.max(0, Math.ceil(3 * sigma));
  const raw = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    sigma > 0 ? Math.exp(-0.5 * ((i - radius) / sigma) ** 2) : 1,
  );
  const sum = raw.reduce((all, v) => all + v, 0);
  return Float32Array.from(raw, (v) => v / sum);
}

/**
 * y = x correlated with taps (2R + 1) along one axis, every `stride`-th sample kept: x (D, H, W), y as
 * x but for ⌈n / stride⌉ samples along the axis. Beyond the ends the last sample counts.
 */
export const gaussianAxis = defineOp<GaussianAxisAttrs>({
  name: "gaussianAxis",
  forward(g, { x, taps }, { axis, stride }) {
    const shape = x!.shape;
    const count = elements(taps!.shape);
    if (shape.length !== 3 || count % 2 === 0 || !Number.isInteger(stride) || stride < 1) {
      throw new Error(
        `gaussianAxis: x is ${showShape(shape)}, ${count} taps, stride ${stride}; expected ` +
          "(D, H, W), an odd number of taps and a whole stride",
      );
    }
    const N = shape[axis]!;
    const N2 = ceilDiv(N, stride);
    const INNER = elements(shape.slice(axis + 1));
    const y = g.tensor("smoothed", shape.with(axis, N2));
    const args = { TOTAL: elements(y.shape), N, N2, INNER, STRIDE: stride, R: (count - 1) / 2 };
    g.emit(kernel, { x: x!, taps: taps!, y }, { WG: 64 }, args);
    return { y };
  },
});
