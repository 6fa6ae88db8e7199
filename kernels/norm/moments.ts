import wgsl from "../../shaders/norm/moments.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "moments",
  source: wgsl,
  bindings: { x: "read", mask: "read", partials: "read_write" },
  args: ["S", "PIECES"],
  grid: (c) => grid1d(num(c, "PIECES"), 1),
  flops: (c) => 4 * num(c, "S"),
});

/** Elements that one workgroup sums. */
const PIECE = 8192;

export interface MomentsAttrs {
  /** Leave out elements that are exactly 0 (background of skull-stripped images). */
  readonly nonzero?: boolean;
}

/**
 * First half of z-normalisation. x: (S) in any shape; mask (optional, as x): only where it is not 0.
 * partials: (P, 3) = count, mean, sum of squared deviations of each piece; see mergeMoments.
 */
export const moments = defineOp<MomentsAttrs>({
  name: "moments",
  forward(g, { x, mask }, { nonzero = false }) {
    const S = elements(x!.shape);
    if (mask && elements(mask.shape) !== S) {
      throw new Error(
        `moments: mask is ${showShape(mask.shape)}, x is ${showShape(x!.shape)}; expected equal`,
      );
    }
    const PIECES = Math.ceil(S / PIECE);
    const partials = g.tensor("moments", [PIECES, 3]);
    const consts = { MASKED: mask !== undefined, NONZERO: nonzero, PIECE, WG: 64 };
    g.emit(kernel, { x: x!, mask: mask ?? x!, partials }, consts, { S, PIECES });
    return { partials };
  },
});

/**
 * Merges rows of count, mean, M2 in order and in float64 (Chan, Golub & LeVeque 1979, eq. 2.1).
 * Rows of several slabs may simply follow each other. `std` is the population's (divided by n).
 */
export function mergeMoments(partials: ArrayLike<number>): {
  count: number;
  mean: number;
  std: number;
} {
  let count = 0;
  let mean = 0;
  let m2 = 0;
  for (let i = 0; i + 2 < partials.length; i += 3) {
    const n = partials[i]!;
    if (n === 0) continue;
    const delta = partials[i + 1]! - mean;
    const total = count + n;
    m2 += partials[i + 2]! + (delta * delta * count * n) / total;
    mean += (delta * n) / total;
    count = total;
  }
  return { count, mean, std: count > 0 ? Math.sqrt(m2 / count) : 0 };
}
