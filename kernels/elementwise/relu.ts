import forwardWgsl from "../../shaders/elementwise/relu.wgsl" with { type: "text" };
import dxWgsl from "../../shaders/elementwise/relu_dx.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements } from "../../src/core/tensor";
import { byVectorWidth, vectorWidth } from "../vector_width";

const forward = byVectorWidth(
  defineKernel({
    name: "relu",
    source: forwardWgsl,
    bindings: { x: "read", y: "read_write" },
    grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
    flops: (c) => num(c, "COUNT"),
  }),
);

const dx = byVectorWidth(
  defineKernel({
    name: "relu_dx",
    source: dxWgsl,
    bindings: { y: "read", dy: "read", dx: "read_write" },
    grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
    flops: (c) => num(c, "COUNT"),
  }),
);

/** y = max(x, 0), of any shape. Unlike PyTorch's it turns NaN into 0. */
export const relu = defineOp({
  name: "relu",
  forward(g, { x }) {
    if (!x) throw new Error("relu: expected an input x");
    const y = g.tensor("positive", x.shape);
    const width = vectorWidth(elements(x.shape));
    g.emit(forward(width), { x, y }, { COUNT: elements(x.shape) / width, WG: 256 });
    return { y };
  },
  backward(g, { outputs }, { y: dy }) {
    const y = outputs.y!;
    const into = g.tensor("dx", y.shape);
    const width = vectorWidth(elements(y.shape));
    const consts = { COUNT: elements(y.shape) / width, WG: 256 };
    g.emit(dx(width), { y, dy: dy!, dx: into }, consts);
    return { x: into };
  },
});
