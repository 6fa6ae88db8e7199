/** Variants: the implementations of one op, and the choice of one. */
import type { Capabilities } from "./kernel";

/** Sizes that decide which implementation is fastest, or possible. */
export type Problem = Readonly<Record<string, number>>;

/** One implementation of an op on an adapter; the first that can do a problem is preferred. */
export interface Variant<P extends Problem = Problem> {
  readonly name: string;
  readonly supported: (caps: Capabilities) => boolean;
  /** Whether it can do sizes like these; all, if absent. */
  readonly fits?: (problem: P) => boolean;
  /** Takes activations that are stored as f16 too, or only those. */
  readonly f16?: boolean | "only";
  /** Inputs of float32 that it rounds to f16. */
  readonly rounds?: readonly string[];
  /** Of a gradient: records it together with another one, by kernels of its own. */
  readonly both?: unknown;
  /** Adapters on which it is far slower whatever the sizes: the tuner does not try it there. */
  readonly slowOn?: readonly Capabilities["kind"][];
}

/** A choice that a graph made while it was recorded. */
export interface Picked {
  /** The name given to `Graph.pick`. */
  readonly op: string;
  readonly problem: Problem;
  /** Every variant that could have run, in order of preference. */
  readonly candidates: readonly string[];
  /** Those of them that are not worth a try (`Variant.slowOn`). */
  readonly slow: readonly string[];
  readonly chosen: string;
}

/** The variant for a problem, by name; undefined where the order of preference shall decide. */
export type Choices = (op: string, problem: Problem) => string | undefined;

/** `conv3d CIN=16 COUT=32 …`: the same text for the same sizes, in whatever order they are given. */
export function problemKey(op: string, problem: Problem): string {
  const sizes = Object.entries(problem).sort(([a], [b]) => (a < b ? -1 : 1));
  return [op, ...sizes.map(([name, size]) => `${name}=${size}`)].join(" ");
}
