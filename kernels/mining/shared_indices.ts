import wgsl from "../../shaders/mining/shared_indices.wgsl" with { type: "text" };
import { defineKernel, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "shared_indices",
  source: wgsl,
  bindings: { a: "read", b: "read", y: "read_write" },
  grid: () => [1, 1, 1],
  flops: (c) => num(c, "COUNT") ** 2,
});

/** y: (1), the share of the indices a (N) u32 that are among b (N) u32; neither repeats any. */
export const sharedIndices = defineOp({
  name: "sharedIndices",
  forward(g, { a, b }) {
    const [COUNT, ...more] = a!.shape;
    if (!COUNT || more.length > 0 || showShape(a!.shape) !== showShape(b!.shape)) {
      throw new Error(
        `sharedIndices: a is ${showShape(a!.shape)}, b is ${showShape(b!.shape)}; expected (N) twice`,
      );
    }
    const y = g.tensor("shared_indices", [1]);
    g.emit(kernel, { a: a!, b: b!, y }, { COUNT, WG: 64 });
    return { y };
  },
});
