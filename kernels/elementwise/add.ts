import wgsl from "../../shaders/elementwise/add.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { channelLayout, elements, showShape } from "../../src/core/tensor";
import { byVectorWidth, vectorWidth } from "../vector_width";

const kernel = byVectorWidth(
  defineKernel({
    name: "add",
    source: wgsl,
    bindings: { a: "read", b: "read", y: "read_write" },
    views: ["a", "b"],
    storage: { V: ["a", "b", "y"] },
    grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
    flops: (c) => num(c, "COUNT"),
  }),
);

/** y = a + b, elementwise; a, b, y: (N, C, …) of one shape. a and b may be channel views. */
export const add = defineOp({
  name: "add",
  forward(g, { a, b }) {
    if (!a || !b || showShape(a.shape) !== showShape(b.shape)) {
      throw new Error(
        `add: a is ${showShape(a!.shape)}, b is ${showShape(b!.shape)}; expected equal`,
      );
    }
    const y = g.tensor("sum", a.shape, a.dtype);
    const [, C = 1, ...space] = a.shape;
    const WIDTH = vectorWidth(elements(space));
    const S = elements(space) / WIDTH;
    const [la, lb] = [channelLayout(a), channelLayout(b)];
    const views = { A_CT: la.CT, A_C0: la.C0, B_CT: lb.CT, B_C0: lb.C0 };
    const COUNT = elements(a.shape) / WIDTH;
    g.emit(kernel(WIDTH), { a, b, y }, { COUNT, CS: C * S, S, ...views, WG: 256 });
    return { y };
  },
  backward: (_g, _call, { y }) => ({ a: y!, b: y! }),
});
