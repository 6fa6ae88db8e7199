/** Sizes of ops that map each element of x by itself: around the widths of vectors and workgroups. */
import type { Sized } from "./reference";

export const ELEMENTWISE: readonly Sized<Record<string, never>>[] = [
  {
    base: { S: 7 },
    large: { S: 2 ** 22 },
    edges: { S: [4, 64, 256, 1024, 4096] },
    make: ({ S = 0 }) => ({ inputs: { x: [S] }, attrs: {} }),
  },
];
