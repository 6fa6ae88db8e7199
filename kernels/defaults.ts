/**
 * Which variant runs where nothing has been tuned, for each family of adapters. Measured with
 * `bun run tune`; how, and on what: docs/tuning.md.
 */
import type { Capabilities } from "../src/core/kernel";
import type { Problem } from "../src/core/variant";

/** A class of problems and the variant for it. */
export interface Rule {
  /** Names given to `Graph.pick`. */
  readonly ops: readonly string[];
  /** Smallest and largest value of some sizes; absent: whatever they are. */
  readonly when?: Readonly<Record<string, readonly [least: number, most: number]>>;
  readonly use: string;
}

/** The first rule that matches holds; without one, the order in which an op lists its variants. */
export const DEFAULTS: Readonly<Record<Capabilities["kind"], readonly Rule[]>> = {
  lavapipe: [],
  swiftshader: [],
  // Not measured yet: workgroup memory and many threads are what GPUs want.
  hardware: [
    { ops: ["conv3d", "conv3d_dx", "conv3d_dw"], when: { K: [3, 3] }, use: "tiled" },
    { ops: ["upsample3d", "upsample3d_dx"], use: "rows4" },
  ],
};

function matches({ ops, when = {} }: Rule, op: string, problem: Problem): boolean {
  const inside = ([size, [least, most]]: [string, readonly [number, number]]) => {
    const value = problem[size];
    return value !== undefined && value >= least && value <= most;
  };
  return ops.includes(op) && Object.entries(when).every(inside);
}

/** The variants of an op, the default of its problem first. */
export function preferred<V extends { readonly name: string }>(
  op: string,
  variants: readonly V[],
  { kind }: Capabilities,
  problem: Problem,
): V[] {
  const use = DEFAULTS[kind].find((rule) => matches(rule, op, problem))?.use;
  const rank = ({ name }: V) => (name === use ? 0 : 1);
  return variants.toSorted((a, b) => rank(a) - rank(b));
}
