/**
 * Small defects of the kind that kernels and compilers have. The suite must notice them
 * (`bun run portability mutate`, docs/engine/portability.md): each is one edit of one shader.
 */

export interface Mutant {
  /** Name of a file in a folder of shaders/, without `.wgsl`. */
  readonly kernel: string;
  /** What is found there exactly once, and what takes its place. */
  readonly from: string;
  readonly to: string;
}

export const KINDS = [
  "border",
  "stride",
  "barrier",
  "length",
  "comparison",
  "tap",
  "rounding",
  "epsilon",
  "constant",
  "term",
  "lane",
  "sign",
  "mask",
  "swap",
  "shift",
  "halo",
  "weight",
  "gather",
  "bias",
  "seed",
  "overflow",
  "part",
  "row",
] as const;

export interface Defect extends Mutant {
  readonly kind: (typeof KINDS)[number];
  readonly what: string;
}

export function defect(
  kind: Defect["kind"],
  kernel: string,
  what: string,
  from: string,
  to: string,
) {
  return { kind, kernel, what, from, to } satisfies Defect;
}
