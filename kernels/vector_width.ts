import type { Consts, Kernel } from "../src/core/kernel";

/** The widest vector, in elements, that divides each of `sizes`: 4 or 1. */
export function vectorWidth(...sizes: readonly number[]): 4 | 1 {
  return sizes.every((n) => n % 4 === 0) ? 4 : 1;
}

/** Vectors as they are stored, of several kinds perhaps, or computed with where that may differ. */
const VECTOR = /^alias ([A-Z]) = vec4f;/gm;
const NARROW = /fn narrow\(v: vec4f\) -> ([A-Z]) { return \1\(v\); }/;

function scalarOf(kernel: Kernel): Kernel {
  if (kernel.source.search(VECTOR) < 0)
    throw new Error(`${kernel.name}.wgsl has no alias of vec4f`);
  const source = kernel.source
    .replace(VECTOR, "alias $1 = f32;")
    .replace(NARROW, "fn narrow(v: vec4f) -> $1 { return $1(v.x); }");
  return { ...kernel, source };
}

/**
 * A kernel written for elements `alias V = vec4f;` and the same one with `alias V = f32;`. Loads of
 * vectors are more than twice as fast on lavapipe, but rows must be whole numbers of them. The
 * kernel's `flops` are those of the latter.
 */
export function byVectorWidth(kernel: Kernel): (width: 4 | 1) => Kernel {
  const { flops } = kernel;
  const scalar = scalarOf(kernel);
  const vector = { ...kernel, flops: flops && ((c: Consts) => 4 * flops(c)) };
  return (width) => (width === 4 ? vector : scalar);
}

/**
 * A kernel that computes in vectors of four whatever its rows hold: with V = f32 its `wide` gives an
 * element in every component, and its `narrow`, for what it writes, takes the first.
 */
export function byRowVectorWidth(kernel: Kernel): (width: 4 | 1) => Kernel {
  const scalar = scalarOf(kernel);
  return (width) => (width === 4 ? kernel : scalar);
}
