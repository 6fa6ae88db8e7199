import wgsl from "../shaders/top_b.wgsl" with { type: "text" };
import { defineKernel, num } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import { elements, showShape } from "../src/core/tensor";

const kernel = defineKernel({
  name: "top_b",
  source: wgsl,
  bindings: { errors: "read", indices: "read_write" },
  grid: (c) => [Math.ceil(num(c, "E") / num(c, "WG")), 1, 1],
  flops: (c) => num(c, "E") ** 2,
});

/** The quadratic count stays below a few milliseconds up to here. */
const MOST_ERRORS = 65536;

/**
 * Indices (count) u32 of the `count` largest of errors (E), by decreasing error, ties by smaller
 * index. NaN counts as larger than everything, −0 equals +0.
 */
export const topB = defineOp<{ readonly count: number }>({
  name: "topB",
  forward(g, { errors }, { count }) {
    const E = elements(errors!.shape);
    if (E > MOST_ERRORS || !Number.isInteger(count) || count < 1 || count > E) {
      throw new Error(
        `topB: count is ${count}, errors are ${showShape(errors!.shape)}; expected ` +
          `1 ≤ count ≤ ${Math.min(E, MOST_ERRORS)} and at most ${MOST_ERRORS} errors`,
      );
    }
    const indices = g.tensor("top_indices", [count], "u32");
    g.emit(kernel, { errors: errors!, indices }, { E, COUNT: count, WG: 64 });
    return { indices };
  },
});
