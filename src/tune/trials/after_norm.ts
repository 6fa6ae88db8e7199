/**
 * Tensors for trials that come unwritten after a group normalisation, as they do in the network
 * (kernels/norm/normalised.ts), and their elements in float64.
 */

import { normalised, normGradient } from "../../../kernels/norm/group_norm";
import type { Graph } from "../../core/graph";
import type { Tensors } from "../../core/op";
import type { Shape, Tensor } from "../../core/tensor";
import type { Cursor, Lookups } from "../../reference/element";
import * as reference from "../../reference/normalised";
import type { Fill } from "../trial";

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

const attrsOf = ([, C = 1]: Shape) => ({ groups: groupsOf(C), relu: true });

/** max((x − mean) · rstd · weight + bias, 0), unwritten. */
export function normalisedTensor(g: Graph, name: string, tensors: Tensors): Tensor {
  const x = tensors[name]!;
  const attrs = { ...attrsOf(x.shape), eps: 0 };
  return g.defer(name, x.shape, normalised({ x, ...partsOf(name, tensors) }, attrs), x.dtype);
}

/** The gradient after that, unwritten. */
export function normGradientTensor(g: Graph, name: string, tensors: Tensors): Tensor {
  const [dy, x, means] = [name, `${name}_of`, `${name}_means`].map((key) => tensors[key]!);
  const { shape, dtype } = x!;
  const sums = g.tensor("sums", [shape[0]!, shape[1]!, 2]);
  const inputs = { dy: dy!, x: x!, means: means!, sums, ...partsOf(name, tensors) };
  return g.defer(name, shape, normGradient(inputs, attrsOf(shape)), dtype);
}

function lookupsOf(name: string, values: Lookups) {
  const [stats, weight, bias] = ["stats", "weight", "bias"].map((p) => values[`${name}_${p}`]!);
  return { stats: stats!, weight: weight!, bias: bias! };
}

/** Elements of {@link normalisedTensor}, of `shape`, in float64. */
export function normalisedCursor(name: string, values: Lookups, shape: Shape): Cursor {
  const inputs = { x: values[name]!, ...lookupsOf(name, values) };
  return reference.normalised(inputs, shape, attrsOf(shape));
}

/** Elements of {@link normGradientTensor} in float64. */
export function normGradientCursor(name: string, values: Lookups, shape: Shape): Cursor {
  const [dy, x, means] = [name, `${name}_of`, `${name}_means`].map((key) => values[key]!);
  const inputs = { dy: dy!, x: x!, means: means!, ...lookupsOf(name, values) };
  return reference.normGradient(inputs, shape, attrsOf(shape));
}
