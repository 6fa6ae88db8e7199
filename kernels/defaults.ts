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
  /** What an adapter's architecture begins with; absent: all of the kind. */
  readonly on?: string;
}

const CONVOLUTIONS = ["conv3d", "conv3d_dx"];
const WEIGHTS = ["conv3d_dw"];
const MANY = Number.POSITIVE_INFINITY;
/** 3×3×3 with enough input channels for a matrix of 16. */
const WIDE = { K: [3, 3], CIN: [5, MANY] } as const;

/**
 * Rules that match give the order of preference, the first that an adapter has holds; without one,
 * the order in which an op lists its variants.
 */
export const DEFAULTS: Readonly<Record<Capabilities["kind"], readonly Rule[]>> = {
  lavapipe: [
    { ops: WEIGHTS, when: { K: [3, 3], CIN: [1, 2] }, use: "subgroup" },
    { ops: ["conv3d_dx"], when: { K: [1, 1], CIN: [1, 1] }, use: "subgroup" },
  ],
  swiftshader: [],
  // As tuned on an NVIDIA H200 (docs/engine/convolution.md). The matrix variants are for f16 alone.
  hardware: [
    { ops: CONVOLUTIONS, when: { ...WIDE, COUT: [17, MANY], W: [9, MANY] }, use: "matrix_512x32" },
    { ops: CONVOLUTIONS, when: { ...WIDE, COUT: [9, MANY] }, use: "matrix_512x16" },
    { ops: WEIGHTS, when: WIDE, use: "matrix_16x32" },
    // By what AMD's compiler says of them (docs/measurements/isa.md).
    { on: "amd", ops: CONVOLUTIONS, when: { K: [3, 3], W: [1, 8] }, use: "uniform_512x8" },
    { on: "amd", ops: CONVOLUTIONS, when: { K: [3, 3] }, use: "uniform_1024x8" },
    { ops: CONVOLUTIONS, when: { K: [3, 3], COUT: [1, 8] }, use: "blocked_1024x8" },
    { ops: CONVOLUTIONS, when: { K: [3, 3], COUT: [9, MANY], W: [1, 8] }, use: "blocked_256x16" },
    { ops: CONVOLUTIONS, when: { K: [3, 3] }, use: "blocked_512x16" },
    { on: "amd gcn", ops: WEIGHTS, when: { K: [3, 3], CIN: [1, 2] }, use: "sparing_2x16_8x4" },
    { on: "amd gcn", ops: WEIGHTS, when: { K: [3, 3], W: [1, 4] }, use: "sparing_8x8_4x4" },
    { on: "amd gcn", ops: WEIGHTS, when: { K: [3, 3] }, use: "sparing_4x16_8x4" },
    { ops: WEIGHTS, when: { K: [3, 3], CIN: [1, 2] }, use: "blocked_2x16_16x8" },
    { ops: WEIGHTS, when: { K: [3, 3], W: [1, 4] }, use: "blocked_8x16_4x4" },
    { ops: WEIGHTS, when: { K: [3, 3] }, use: "blocked_8x16_8x4" },
    { ops: ["upsample3d", "upsample3d_dx"], use: "rows4" },
  ],
};

function matches(
  { ops, when = {}, on = "" }: Rule,
  op: string,
  problem: Problem,
  architecture: string,
): boolean {
  const inside = ([size, [least, most]]: [string, readonly [number, number]]) => {
    const value = problem[size];
    return value !== undefined && value >= least && value <= most;
  };
  const isFor = architecture.startsWith(on) && ops.includes(op);
  return isFor && Object.entries(when).every(inside);
}

/** The variants of an op, the default of its problem first. */
export function preferred<V extends { readonly name: string }>(
  op: string,
  variants: readonly V[],
  { kind, architecture = "" }: Capabilities,
  problem: Problem,
): V[] {
  const wanted = DEFAULTS[kind]
    .filter((rule) => matches(rule, op, problem, architecture))
    .map(({ use }) => use);
  const rank = ({ name }: V) => (wanted.includes(name) ? wanted.indexOf(name) : wanted.length);
  return variants.toSorted((a, b) => rank(a) - rank(b));
}
