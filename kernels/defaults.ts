/**
 * The variants that run where nothing has been tuned, for each family of adapters. Measured with
 * `bun run tune`; how, and on what: docs/engine/tuning.md.
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

const CONVOLUTIONS = ["conv3d", "conv3d_dx"];
const MANY = Number.POSITIVE_INFINITY;
/** 3×3×3 with enough input channels for a matrix of 16. */
const WIDE = { K: [3, 3], CIN: [5, MANY] } as const;

/**
 * Rules that match give the order of preference, the first that an adapter has holds; without one,
 * the order in which an op lists its variants.
 */
export const DEFAULTS: Readonly<Record<Capabilities["kind"], readonly Rule[]>> = {
  lavapipe: [
    { ops: ["conv3d_dw"], when: { K: [3, 3], CIN: [1, 2] }, use: "subgroup" },
    { ops: ["conv3d_dx"], when: { K: [1, 1], CIN: [1, 1] }, use: "subgroup" },
  ],
  swiftshader: [],
  // As tuned on an NVIDIA H200 (docs/engine/convolution.md). The matrix variants are for f16 alone.
  hardware: [
    { ops: CONVOLUTIONS, when: { ...WIDE, COUT: [17, MANY], W: [9, MANY] }, use: "matrix_512x32" },
    { ops: CONVOLUTIONS, when: { ...WIDE, COUT: [9, MANY] }, use: "matrix_512x16" },
    { ops: ["conv3d_dw"], when: WIDE, use: "matrix_16x32" },
    { ops: CONVOLUTIONS, when: { K: [3, 3], COUT: [1, 8] }, use: "blocked_1024x8" },
    { ops: CONVOLUTIONS, when: { K: [3, 3], COUT: [9, MANY], W: [1, 8] }, use: "blocked_256x16" },
    { ops: CONVOLUTIONS, when: { K: [3, 3] }, use: "blocked_512x16" },
    { ops: ["conv3d_dw"], when: { K: [3, 3], CIN: [1, 2] }, use: "blocked_2x16_16x8" },
    { ops: ["conv3d_dw"], when: { K: [3, 3], W: [1, 4] }, use: "blocked_8x16_4x4" },
    { ops: ["conv3d_dw"], when: { K: [3, 3] }, use: "blocked_8x16_8x4" },
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
  const wanted = DEFAULTS[kind].filter((rule) => matches(rule, op, problem)).map(({ use }) => use);
  const rank = ({ name }: V) => (wanted.includes(name) ? wanted.indexOf(name) : wanted.length);
  return variants.toSorted((a, b) => rank(a) - rank(b));
}
