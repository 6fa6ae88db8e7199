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

/** Inputs that `name` after a norm is made of; the tensor itself is what the norm reads. */
export function normInputs(name: string, [N = 1, C = 1, ...space]: Shape): Record<string, Shape> {
  const group = [N, groupsOf(C), 2];
  return {
    [name]: [N, C, ...space],
    [`${name}_stats`]: group,
    [`${name}_weight`]: [C],
    [`${name}_bias`]: [C],
  };
}

/** The same for a gradient, which needs more: `name` is the gradient after the norm. */
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

/** What `name` after a norm is made of, among the inputs of a trial. */
function partsOf<T>(name: string, inputs: Readonly<Record<string, T>>) {
  const [x, stats, weight, bias] = ["", "_stats", "_weight", "_bias"].map((p) => inputs[name + p]!);
  return { x: x!, stats: stats!, weight: weight!, bias: bias! };
}

/** The same for a gradient. */
function gradientPartsOf<T>(name: string, inputs: Readonly<Record<string, T>>) {
  const { x: dy, ...rest } = partsOf(name, inputs);
  return { ...rest, dy, x: inputs[`${name}_of`]!, means: inputs[`${name}_means`]! };
}

const attrsOf = ([, C = 1]: Shape) => ({ groups: groupsOf(C), relu: true });

/** max((x − mean) · rstd · weight + bias, 0), unwritten. */
export function normalisedTensor(g: Graph, name: string, inputs: Tensors): Tensor {
  const parts = partsOf(name, inputs);
  const { shape, dtype } = parts.x;
  return g.defer(name, shape, normalised(parts, { ...attrsOf(shape), eps: 0 }), dtype);
}

/** The gradient after that, unwritten. */
export function normGradientTensor(g: Graph, name: string, inputs: Tensors): Tensor {
  const parts = gradientPartsOf(name, inputs);
  const { shape, dtype } = parts.x;
  const sums = g.tensor("sums", [shape[0]!, shape[1]!, 2]);
  return g.defer(name, shape, normGradient({ ...parts, sums }, attrsOf(shape)), dtype);
}

/** Elements of {@link normalisedTensor}, of `shape`, in float64. */
export const normalisedCursor = (name: string, values: Lookups, shape: Shape): Cursor =>
  reference.normalised(partsOf(name, values), shape, attrsOf(shape));

/** Elements of {@link normGradientTensor} in float64. */
export const normGradientCursor = (name: string, values: Lookups, shape: Shape): Cursor =>
  reference.normGradient(gradientPartsOf(name, values), shape, attrsOf(shape));
