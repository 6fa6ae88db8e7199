import wgsl from "../../shaders/rows/column_sums.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "column_sums",
  source: wgsl,
  bindings: { x: "read", y: "read_write" },
  grid: (c) => grid1d(num(c, "K"), num(c, "WG")),
  flops: (c) => product(c, "N", "K"),
});

/** y: (K), the sums over the rows of x: (N, K), in order; for a few rows. */
export const columnSums = defineOp({
  name: "columnSums",
  forward(g, { x }) {
    const [N, K, ...more] = x!.shape;
    if (!N || !K || more.length > 0) {
      throw new Error(`columnSums: x is ${showShape(x!.shape)}; expected (N, K)`);
    }
    const y = g.tensor("column_sums", [K]);
    g.emit(kernel, { x: x!, y }, { N, K, WG: 64 });
    return { y };
  },
});
