/**
 * Single elements of a result in float64. The tuner checks a few elements of a large tensor; the op
 * tests check the whole of a small one, which follows from the same function.
 */
import type { Shape } from "../core/tensor";

/** A function from the flat index of an element to its value. */
export type Lookup = (i: number) => number;
export type Lookups<Name extends string = string> = Readonly<Record<Name, Lookup>>;

/** A factor of the terms of a sum: an element of a tensor, or a number computed from several. */
export interface Cursor {
  /** Moves to the element with the flat index `i`. */
  at(i: number): void;
  /** Of the element that it was moved to last. */
  value: number;
  /** Sum of the absolute values of what the element is made of: rounding is in proportion. */
  size: number;
}

/** Cursors of inputs (`x`) and of gradients of outputs (`dy` for `y`). */
export type Cursors = Readonly<Record<string, Cursor>>;

/** A cursor over a tensor that lies in memory. */
export const written = (lookup: Lookup): Cursor => ({
  value: 0,
  size: 0,
  at(i) {
    this.value = lookup(i);
    this.size = Math.abs(this.value);
  },
});

/** One element of an output or of a gradient. */
export interface Element {
  readonly value: number;
  /** Σ|terms|: an error that factors bring with them is in proportion. */
  readonly size: number;
  /** Number of terms: what computing the element costs. */
  readonly terms: number;
  /** Most that a float32 kernel may be off where its inputs are exact. */
  readonly bound: number;
}

/** c · 2⁻²⁴ · √K · Σ|terms|, K the number of terms: what the rounding of a sum may come to. */
export function roundingBound(terms: number, size: number, c = 2): number {
  return c * 2 ** -24 * Math.sqrt(terms) * size;
}

/** Element `i` of an output or of a gradient (`dx` for input `x`), from what its terms read. */
export type ElementOf<A> = (
  name: string,
  i: number,
  cursors: Cursors,
  shapes: Readonly<Record<string, Shape>>,
  attrs: A,
) => Element;
