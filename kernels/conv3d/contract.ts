/** The types and constants that the members of the family share: sizes, tensors, variants, problems. */
import type { Graph } from "../../src/core/graph";
import { type Capabilities, type Consts, num, product } from "../../src/core/kernel";
import { type Tensor, volumeSizes } from "../../src/core/tensor";
import type { Variant } from "../../src/core/variant";

/** Sizes of a convolution from CIN to COUT channels, as the shaders name them. */
export type Geometry = Readonly<Record<"N" | "CIN" | "COUT" | "D" | "H" | "W" | "K", number>>;

export function geometryOf(x: Tensor, y: Tensor, w: Tensor): Geometry {
  const { N, C: CIN, D, H, W } = volumeSizes(x.shape);
  return { N, CIN, COUT: y.shape[1]!, D, H, W, K: w.shape[4]! };
}

/** NORM: 1 where x is the unwritten output of a norm; F16: 1 where activations are stored so. */
type Context = Readonly<Record<"NORM" | "F16", number>>;
/** MOMENTS: 1 where a norm follows. */
export type ForwardProblem = Geometry & Context & { readonly MOMENTS: number };
/**
 * Of either gradient: NORM_DY: 1 where dy is an unwritten gradient through a norm; DX: 1 where the
 * input's gradient is wanted beside that of the weights.
 */
export type BackwardProblem = Geometry & Context & Readonly<Record<"NORM_DY" | "DX", number>>;

/** Without `b` it is the gradient of the input: x is dy, y is dx and w is read transposed. */
export interface ConvTensors {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly b?: Tensor;
  readonly y: Tensor;
  /** Where y's moments go, if they are wanted: (N, COUT, T, 3), see group_norm_merge.wgsl. */
  readonly moments?: Tensor;
}

export interface ConvVariant extends Variant<Geometry> {
  /** Takes the unwritten output of a normalisation for x (kernels/norm/normalised.ts). */
  readonly fuses?: boolean;
  /** Parts T of a channel of which it can leave the moments (ConvTensors.moments); absent: none. */
  readonly momentParts?: (geometry: Geometry, caps: Capabilities) => number;
  readonly emit: (g: Graph, t: ConvTensors, geometry: Geometry) => void;
}

export interface GradientTensors {
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly dw: Tensor;
}

export interface BothGradients extends GradientTensors {
  readonly w: Tensor;
  readonly dx: Tensor;
}

export interface WeightGradientVariant extends Variant<Geometry> {
  /** Takes x and dy unwritten, after and through normalisations (kernels/norm/normalised.ts). */
  readonly fuses?: boolean;
  readonly emit: (g: Graph, t: GradientTensors, geometry: Geometry, accumulate: boolean) => void;
  /** The input's gradient too, cheaper than apart. */
  readonly both?: (g: Graph, t: BothGradients, geometry: Geometry, accumulate: boolean) => void;
}

/** Operations of the direct convolution between CIN and COUT channels, in any direction. */
export const directFlops = (c: Consts): number =>
  2 * product(c, "N", "CIN", "COUT", "D", "H", "W") * num(c, "K") ** 3;

/** For variants that are there to be read, and for where nothing else runs. */
export const EVERYWHERE = ["lavapipe", "swiftshader", "hardware"] as const;
