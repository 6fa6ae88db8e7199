/**
 * A trial: the tuner runs an op by itself on one problem. Its neighbours in the network are part of
 * the problem where they decide the speed of a variant. It is checked against float64, then timed.
 */
import type { Graph } from "../core/graph";
import type { Op, Tensors } from "../core/op";
import type { Shape } from "../core/tensor";
import type { Problem } from "../core/variant";
import type { Element, Lookups } from "../reference/element";

/** Value of an element of an output, and how far a float32 kernel may be off. */
export type Exact = Pick<Element, "value" | "bound" | "terms">;

/** Makes an element of an input of a random number in ±1. */
export type Fill = (random: number) => number;

export interface Trial<P extends Problem = Problem> {
  /** The size that time is proportional to: lowered where a run would take long. */
  readonly batch?: keyof P & string;
  /** Shapes of the inputs, which are float32 but for `halves`. */
  inputs(problem: P): Readonly<Record<string, Shape>>;
  /** Inputs that are stored as f16. */
  halves?(problem: P): readonly string[];
  /** Inputs of float32 that get values which f16 holds too: some variant rounds them to it. */
  rounds?(problem: P): readonly string[];
  /** Where random numbers in ±1 will not do. */
  readonly fill?: Readonly<Record<string, Fill>>;
  /**
   * Applies the op, or its backward rule, on the inputs, so that it picks for this very problem;
   * returns the outputs.
   */
  record(g: Graph, op: Op<never>, inputs: Tensors, problem: P): Tensors;
  /** Outputs that {@link exact} computes from other outputs, named before them, of the same run. */
  readonly derived?: readonly string[];
  /** Element `i` of an output, from the inputs. */
  exact(values: Lookups, problem: P, output: string, i: number): Exact;
}

/** Checks a trial in the type of its own problems, and forgets that type for lists of trials. */
export function defineTrial<P extends Problem>(trial: Trial<P>): Trial {
  return trial as unknown as Trial;
}
