import wgsl from "../../shaders/rows/flip_rows.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { showShape } from "../../src/core/tensor";

const WG = 64;

const kernel = defineKernel({
  name: "flip_rows",
  source: wgsl,
  bindings: { x: "read", flips: "read", y: "read_write" },
  args: ["N", "C", "D", "H", "W"],
  storage: { T: ["x", "y"] },
  grid: (c) => grid1d(product(c, "N", "C", "D", "H", "W"), num(c, "WG")),
});

/**
 * y[n] = x[n] mirrored along the axes that flips[n] names. x, y: (N, C, D, H, W); flips: (N) u32, bit
 * 0 for x (W), 1 for y (H), 2 for z (D). Applied twice it gives x back.
 */
export const flipRows = defineOp({
  name: "flipRows",
  forward(g, { x, flips }) {
    const [N = 0, C = 0, D = 0, H = 0, W = 0, ...more] = x!.shape;
    if (W === 0 || more.length > 0 || flips!.shape.length !== 1 || flips!.shape[0] !== N) {
      throw new Error(
        `flipRows: x is ${showShape(x!.shape)}, flips ${showShape(flips!.shape)}; expected ` +
          "(N, C, D, H, W) and (N)",
      );
    }
    const y = g.tensor("flipped", x!.shape, x!.dtype);
    g.emit(kernel, { x: x!, flips: flips!, y }, { WG }, { N, C, D, H, W });
    return { y };
  },
});
