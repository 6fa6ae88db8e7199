import wgsl from "../../shaders/mining/top_b.wgsl" with { type: "text" };
import { defineKernel, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "top_b",
  source: wgsl,
  bindings: { errors: "read", sums: "read", indices: "read_write" },
  grid: (c) => [Math.ceil(num(c, "E") / num(c, "WG")), 1, 1],
  flops: (c) => num(c, "E") ** 2,
});

/** The quadratic count stays below a few milliseconds up to here. */
const MOST_ERRORS = 65536;

export interface TopBAttrs {
  readonly count: number;
  /** Places for positive patches; needs `sums`. */
  readonly positives?: number;
}

/**
 * Indices (count) u32 of the `count` largest of errors (E), by decreasing error, ties by smaller
 * index. NaN counts as larger than everything, −0 equals +0. With `positives` that many of them are
 * patches with Σy > 0 in sums (E, 3), each class by its own largest errors; what one class lacks the
 * other fills.
 */
export const topB = defineOp<TopBAttrs>({
  name: "topB",
  forward(g, { errors, sums }, { count, positives }) {
    const E = elements(errors!.shape);
    if (E > MOST_ERRORS || !Number.isInteger(count) || count < 1 || count > E) {
      throw new Error(
        `topB: count is ${count}, errors are ${showShape(errors!.shape)}; expected ` +
          `1 ≤ count ≤ ${Math.min(E, MOST_ERRORS)} and at most ${MOST_ERRORS} errors`,
      );
    }
    const QUOTA = positives !== undefined;
    if (QUOTA && (showShape(sums?.shape ?? []) !== `${E}×3` || positives > count)) {
      throw new Error(
        `topB: ${positives} places of ${count} are for positive patches, sums are ` +
          `${showShape(sums?.shape ?? [])}; expected at most ${count}, and sums of ${E}×3`,
      );
    }
    const indices = g.tensor("top_indices", [count], "u32");
    // Bound, not read, without a quota.
    const tensors = { errors: errors!, sums: sums ?? errors!, indices };
    g.emit(kernel, tensors, { E, COUNT: count, QUOTA, POSITIVES: positives ?? 0, WG: 64 });
    return { indices };
  },
});
