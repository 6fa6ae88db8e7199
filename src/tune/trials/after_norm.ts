/**
 * Tensors for trials that come unwritten after a group normalisation, as they do in the network
 * (kernels/norm/normalised.ts), and their elements in float64.
 */

import { normalised, normGradient } from "../../../kernels/norm/group_norm";
import type { Graph } from "../../core/graph";
import type { Tensors } from "../../core/op";
import { elements, type Shape, type Tensor } from "../../core/tensor";
import type { Fill, Values } from "../trial";

/** An element of a tensor: where {@link at} was called last. */
export interface Read {
  at(i: number): void;
  value: number;
  /** Sum of the absolute values of what it is made of: rounding is in proportion. */
  size: number;
}

export const written = (values: (i: number) => number): Read => ({
  value: 0,
  size: 0,
  at(i) {
    this.value = values(i);
    this.size = Math.abs(this.value);
  },
});

/** Rounding of what is made of a tensor behind a norm, for each unit of Read.size. */
export const NORM_ROUNDING = 8 * 2 ** -24;

export const groupsOf = (channels: number): number => (channels % 8 === 0 ? 8 : 1);

/** Inputs that `name` behind a norm is made of; the tensor itself is what the norm reads. */
export function normInputs(name: string, [N = 1, C = 1, ...space]: Shape): Record<string, Shape> {
  const group = [N, groupsOf(C), 2];
  return {
    [name]: [N, C, ...space],
    [`${name}_stats`]: group,
    [`${name}_weight`]: [C],
    [`${name}_bias`]: [C],
  };
}

/** The same for a gradient, which needs more: `name` is the gradient behind the norm. */
export function normGradientInputs(name: string, shape: Shape): Record<string, Shape> {
  const [N = 1, C = 1] = shape;
  const { [name]: of, ...rest } = normInputs(name, shape);
  const means = [N, groupsOf(C), 2];
  return { ...rest, [name]: of!, [`${name}_of`]: of!, [`${name}_means`]: means };
}

/**
 * Fills of both. What the norm reads, less a mean, stays so far from 0 that no bias takes it there:
 * else rounding would decide whether the ReLU cuts.
 */
export function normFills(name: string, read: string): Record<string, Fill> {
  return {
    [read]: (random) => (random < 0 ? -1.5 : 1.5) + 0.5 * random,
    // Means and 1/deviations alike.
    [`${name}_stats`]: (random) => 0.75 + 0.25 * random,
    [`${name}_weight`]: (random) => 1 + 0.5 * random,
    [`${name}_bias`]: (random) => 0.05 * random,
    [`${name}_means`]: (random) => 0.1 * random,
  };
}

function partsOf(name: string, tensors: Tensors) {
  const [stats, weight, bias] = ["stats", "weight", "bias"].map((p) => tensors[`${name}_${p}`]!);
  return { stats: stats!, weight: weight!, bias: bias! };
}

/** max((x − mean) · rstd · weight + bias, 0), unwritten. */
export function normalisedTensor(g: Graph, name: string, tensors: Tensors): Tensor {
  const x = tensors[name]!;
  const attrs = { groups: groupsOf(x.shape[1]!), eps: 0, relu: true };
  return g.defer(name, x.shape, normalised({ x, ...partsOf(name, tensors) }, attrs), x.dtype);
}

/** The gradient behind that, unwritten. */
export function normGradientTensor(g: Graph, name: string, tensors: Tensors): Tensor {
  const [dy, x, means] = [name, `${name}_of`, `${name}_means`].map((key) => tensors[key]!);
  const C = x!.shape[1]!;
  const sums = g.tensor("sums", [x!.shape[0]!, C, 2]);
  const inputs = { dy: dy!, x: x!, means: means!, sums, ...partsOf(name, tensors) };
  return g.defer(
    name,
    x!.shape,
    normGradient(inputs, { groups: groupsOf(C), relu: true }),
    x!.dtype,
  );
}

/** Means, deviations, scales and shifts where an element of a tensor of `shape` lies. */
function normAt(name: string, values: Values, [, C = 1, ...space]: Shape) {
  const stats = values[`${name}_stats`]!;
  const [weight, bias] = [values[`${name}_weight`]!, values[`${name}_bias`]!];
  const S = elements(space);
  const G = groupsOf(C);
  const at = { group: 0, mean: 0, rstd: 1, scale: 1, shift: 0 };
  return (i: number) => {
    const c = Math.floor(i / S) % C;
    at.group = Math.floor(i / (C * S)) * G + Math.floor((c * G) / C);
    at.mean = stats(2 * at.group);
    at.rstd = stats(2 * at.group + 1);
    at.scale = at.rstd * weight(c);
    at.shift = bias(c);
    return at;
  };
}

export function normalisedRead(name: string, values: Values, shape: Shape): Read {
  const x = values[name]!;
  const norm = normAt(name, values, shape);
  return {
    value: 0,
    size: 0,
    at(i) {
      const { mean, scale, shift } = norm(i);
      const scaled = (x(i) - mean) * scale;
      this.value = Math.max(scaled + shift, 0);
      this.size = Math.abs(scaled) + Math.abs(shift);
    },
  };
}

/** As group_norm_dx.wgsl. */
export function normGradientRead(name: string, values: Values, shape: Shape): Read {
  const [dy, x, means] = [values[name]!, values[`${name}_of`]!, values[`${name}_means`]!];
  const norm = normAt(name, values, shape);
  return {
    value: 0,
    size: 0,
    at(i) {
      const { group, mean, rstd, scale, shift } = norm(i);
      const centred = x(i) - mean;
      const passed = centred * scale + shift > 0 ? scale * dy(i) : 0;
      const constant = rstd * means(2 * group);
      const sloping = rstd * rstd * means(2 * group + 1) * centred;
      this.value = passed - constant - sloping;
      this.size = Math.abs(passed) + Math.abs(constant) + Math.abs(sloping);
    },
  };
}
