/**
 * The two maps of group normalisation that other kernels may do on the way (Tensor.deferred):
 * forward, normalise, scale, shift and ReLU; backward, the gradient of what was normalised.
 */
import type { Graph } from "../../src/core/graph";
import { channelLayout, type Deferred, type Tensor } from "../../src/core/tensor";

/** max((x − mean) · rstd · weight + bias, 0); see kernels/norm/group_norm.ts for the shapes. */
export interface Normalised extends Deferred {
  readonly kind: "normalised";
  readonly inputs: Readonly<Record<"x" | "stats" | "weight" | "bias", Tensor>>;
  readonly groups: number;
  /** False: no ReLU. Readers that always do one must have the tensor written. */
  readonly relu: boolean;
}

/** The gradient of x in the above, from `dy`; of a normalisation with ReLU. */
export interface NormGradient extends Deferred {
  readonly kind: "normGradient";
  readonly inputs: Readonly<
    Record<"dy" | "x" | "stats" | "means" | "sums" | "weight" | "bias", Tensor>
  >;
  /** (N, C) means of x, where its maker left them. */
  readonly channelMeans?: Tensor;
  readonly groups: number;
}

/** What `t` is made of, if it is normalised with ReLU and not written. */
export function normalisedOf(t: Tensor): Normalised | undefined {
  const made = t.deferred as Normalised | undefined;
  return made?.kind === "normalised" && made.relu ? made : undefined;
}

/** What `t` is made of, if it is an unwritten gradient through a normalisation with ReLU. */
export function normGradientOf(t: Tensor): NormGradient | undefined {
  const made = t.deferred as NormGradient | undefined;
  return made?.kind === "normGradient" ? made : undefined;
}

/**
 * What a kernel that can normalise x, (N, C, …), reads: its tensors, whether it must, and where channels
 * and groups lie.
 */
export function sourceOf(g: Graph, x: Tensor) {
  const norm = normalisedOf(x);
  const from = norm?.inputs ?? unnormalised(g, x);
  const CG = x.shape[1]! / (norm?.groups ?? 1);
  return { from, NORM: Boolean(norm), layout: { ...channelLayout(from.x), CG } };
}

/** What kernels that can normalise are bound to where they need not: only x is read. */
function unnormalised(g: Graph, x: Tensor): Normalised["inputs"] {
  const unread = g.tensor("unread", [4]);
  return { x, stats: unread, weight: unread, bias: unread };
}
