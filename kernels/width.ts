import type { Consts, Kernel } from "../src/core/kernel";

/** The widest vector, in elements, that divides each of `sizes`: 4 or 1. */
export function widthFor(...sizes: readonly number[]): 4 | 1 {
  return sizes.every((n) => n % 4 === 0) ? 4 : 1;
}

const ALIAS = "alias V = vec4f;";

/**
 * A kernel written for elements `alias V = vec4f;` and the same one with `alias V = f32;`. Loads of
 * vectors are more than twice as fast on lavapipe, but rows must be whole numbers of them. The
 * kernel's `flops` are those of the latter.
 */
export function byWidth(kernel: Kernel): (width: 4 | 1) => Kernel {
  if (!kernel.source.includes(ALIAS)) throw new Error(`${kernel.name}.wgsl has no line ${ALIAS}`);
  const { flops, source } = kernel;
  const scalar = { ...kernel, source: source.replace(ALIAS, "alias V = f32;") };
  const vector = { ...kernel, flops: flops && ((c: Consts) => 4 * flops(c)) };
  return (width) => (width === 4 ? vector : scalar);
}

const NARROW = "fn narrow(v: vec4f) -> V { return v; }";

/**
 * A kernel that computes in vectors of four whatever its rows hold: with V = f32 its `vec4f(x[i])` is
 * an element in every component, and `narrow`, for what it writes, takes the first.
 */
export function byRow(kernel: Kernel): (width: 4 | 1) => Kernel {
  if (!kernel.source.includes(ALIAS)) throw new Error(`${kernel.name}.wgsl has no line ${ALIAS}`);
  const source = kernel.source
    .replace(ALIAS, "alias V = f32;")
    .replace(NARROW, "fn narrow(v: vec4f) -> V { return v.x; }");
  const scalar = { ...kernel, source };
  return (width) => (width === 4 ? kernel : scalar);
}
