/** Smoothing along one axis with a smaller grid in the same pass: the pyramid of registration. */
import wgsl from "../../shaders/registration/gaussian_axis.wgsl" with { type: "text" };
import { ceilDiv, defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "gaussian_axis",
  source: wgsl,
  bindings: { x: "read", taps: "read", y: "read_write" },
  args: ["TOTAL", "N", "N2", "INNER", "FIRST", "STRIDE", "R"],
  grid: (c) => grid1d(num(c, "TOTAL"), num(c, "WG")),
  flops: (c) => 2 * (2 * num(c, "R") + 1) * num(c, "TOTAL"),
});

export interface GaussianAxisAttrs {
  /** Axis of x (D, H, W): 0, 1 or 2. */
  readonly axis: 0 | 1 | 2;
  /** Input sample at which the first output sample lies; 0 by default. */
  readonly first?: number;
  /** Input samples between two output samples. */
  readonly stride: number;
}

/**
 * Weights of a Gaussian of standard deviation `sigma` (samples), out to 3 σ, with sum 1. Its centre lies
 * `shift` samples after the middle tap: 0, or a half between two samples.
 */
export function gaussianTaps(sigma: number, shift: 0 | 0.5 = 0): Float32Array {
  const radius = Math.ceil(3 * sigma + shift);
  const raw = Array.from({ length: 2 * radius + 1 }, (_, i) => {
    const at = i - radius - shift;
    if (Math.abs(at) > radius - shift) return 0; // the end that has no counterpart
    return sigma > 0 ? Math.exp(-0.5 * (at / sigma) ** 2) : 1;
  });
  const sum = raw.reduce((all, v) => all + v, 0);
  return Float32Array.from(raw, (v) => v / sum);
}

/**
 * y = x correlated with taps (2R + 1) along one axis, every `stride`-th sample kept from `first` on:
 * x (D, H, W), y as x but for ⌈(n − first) / stride⌉ samples along the axis. Beyond the ends the last sample counts.
 */
export const gaussianAxis = defineOp<GaussianAxisAttrs>({
  name: "gaussianAxis",
  forward(g, { x, taps }, { axis, first = 0, stride }) {
    const shape = x!.shape;
    const count = elements(taps!.shape);
    const whole = Number.isInteger(first) && Number.isInteger(stride);
    const placed = whole && stride > 0 && first >= 0 && first < shape[axis]!;
    if (shape.length !== 3 || count % 2 === 0 || !placed) {
      throw new Error(
        `gaussianAxis: x is ${showShape(shape)}, ${count} taps, stride ${stride} from ${first}; ` +
          "expected (D, H, W), an odd number of taps, a whole stride, and a first sample of the axis",
      );
    }
    const N = shape[axis]!;
    const N2 = ceilDiv(N - first, stride);
    const INNER = elements(shape.slice(axis + 1));
    const y = g.tensor("smoothed", shape.with(axis, N2));
    const numbers = { TOTAL: elements(y.shape), N, N2, INNER };
    const args = { ...numbers, FIRST: first, STRIDE: stride, R: (count - 1) / 2 };
    g.emit(kernel, { x: x!, taps: taps!, y }, { WG: 64 }, args);
    return { y };
  },
});
