import wgsl from "../../shaders/mining/rank_correlation.wgsl" with { type: "text" };
import { defineKernel, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "rank_correlation",
  source: wgsl,
  bindings: { a: "read", b: "read", at: "read", y: "read_write" },
  grid: () => [1, 1, 1],
  flops: (c) => 4 * num(c, "COUNT") ** 2,
});

/** What stands for a correlation that does not exist: one of the two is constant. */
export const NO_CORRELATION = -2;

/** The quadratic count stays below some milliseconds up to here. */
const MOST = 8192;

/**
 * y: (1), Spearman's rank correlation of a and b: (N), finite; equal values share the mean of their
 * ranks. With `at` (N) u32 it is of a[at[i]] and b[i].
 */
export const rankCorrelation = defineOp({
  name: "rankCorrelation",
  forward(g, { a, b, at }) {
    const COUNT = elements(b!.shape);
    if (elements((at ?? a)!.shape) !== COUNT || COUNT > MOST) {
      throw new Error(
        `rankCorrelation: a is ${showShape(a!.shape)}, b ${showShape(b!.shape)}, at ` +
          `${showShape(at?.shape ?? [])}; expected one size, at most ${MOST}`,
      );
    }
    const y = g.tensor("rank_correlation", [1]);
    // Bound, not read, without `at`.
    const tensors = { a: a!, b: b!, at: at ?? b!, y };
    g.emit(kernel, tensors, { COUNT, AT: at !== undefined, WG: 256 });
    return { y };
  },
});
