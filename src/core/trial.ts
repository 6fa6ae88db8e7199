/** How the tuner runs one variant by itself: checked against float64 first, then timed. */
import type { Graph } from "./graph";
import type { Tensors } from "./op";
import type { Shape } from "./tensor";
import type { Problem, Variant } from "./variant";

/** Inputs by name, each a function from the flat index of an element to its value. */
export type Values = Readonly<Record<string, (i: number) => number>>;

/** What an element of an output should be. */
export interface Exact {
  /** In float64. */
  readonly value: number;
  /** Most that a float32 kernel may be off, see {@link roundingBound}. */
  readonly bound: number;
  /** Terms of the sum: what computing it costs. */
  readonly terms: number;
}

export interface Trial<P extends Problem = Problem, V extends Variant<P> = Variant<P>> {
  /** The size that time is proportional to: lowered where a run would take long. */
  readonly batch?: keyof P & string;
  /** Sizes that say which problems are of a kind: what is far behind on some is so on the others. */
  readonly kind?: readonly (keyof P & string)[];
  /** Shapes of the float32 inputs. */
  inputs(problem: P): Readonly<Record<string, Shape>>;
  /** What an input is made of random numbers in ±1; absent: of themselves. */
  readonly fill?: Readonly<Record<string, (random: number) => number>>;
  /** Records the variant on the inputs; returns the outputs. */
  record(g: Graph, variant: V, inputs: Tensors, problem: P): Tensors;
  /** Element `i` of an output. */
  exact(inputs: Values, problem: P, output: string, i: number): Exact;
}

/** c · 2⁻²⁴ · √K · Σ|terms|, K the number of terms: what the rounding of a sum may come to. */
export function roundingBound(terms: number, absoluteSum: number, c = 2): number {
  return c * 2 ** -24 * Math.sqrt(terms) * absoluteSum;
}
