import wgsl from "../../shaders/elementwise/fill.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import type { Shape } from "../../src/core/tensor";
import { elements } from "../../src/core/tensor";
import { byVectorWidth, vectorWidth } from "../vector_width";

const kernel = byVectorWidth(
  defineKernel({
    name: "fill",
    source: wgsl,
    bindings: { y: "read_write" },
    grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
  }),
);

/** A tensor y of the given shape with `value` in every element. */
export const fill = defineOp<{ readonly shape: Shape; readonly value: number }>({
  name: "fill",
  forward(g, _inputs, { shape, value }) {
    const y = g.tensor("filled", shape);
    const width = vectorWidth(elements(shape));
    const COUNT = elements(shape) / width;
    g.emit(kernel(width), { y }, { COUNT, VALUE: value, WG: 256 });
    return { y };
  },
});
