import forwardWgsl from "../../shaders/elementwise/sigmoid.wgsl" with { type: "text" };
import dxWgsl from "../../shaders/elementwise/sigmoid_dx.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements } from "../../src/core/tensor";
import { byVectorWidth, vectorWidth } from "../vector_width";

const forward = byVectorWidth(
  defineKernel({
    name: "sigmoid",
    source: forwardWgsl,
    bindings: { x: "read", y: "read_write" },
    grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
    flops: (c) => 4 * num(c, "COUNT"),
  }),
);

const dx = byVectorWidth(
  defineKernel({
    name: "sigmoid_dx",
    source: dxWgsl,
    bindings: { x: "read", dy: "read", dx: "read_write" },
    grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
    flops: (c) => 7 * num(c, "COUNT"),
  }),
);

/** y = 1 / (1 + e⁻ˣ), of any shape, accurate in both tails. */
export const sigmoid = defineOp({
  name: "sigmoid",
  forward(g, { x }) {
    if (!x) throw new Error("sigmoid: expected an input x");
    const y = g.tensor("probability", x.shape);
    const width = vectorWidth(elements(x.shape));
    g.emit(forward(width), { x, y }, { COUNT: elements(x.shape) / width, WG: 256 });
    return { y };
  },
  backward(g, { inputs }, { y: dy }) {
    const x = inputs.x!;
    const into = g.tensor("dx", x.shape);
    const width = vectorWidth(elements(x.shape));
    const consts = { COUNT: elements(x.shape) / width, WG: 256 };
    g.emit(dx(width), { x, dy: dy!, dx: into }, consts);
    return { x: into };
  },
});
