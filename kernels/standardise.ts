import wgsl from "../shaders/standardise.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import { elements, showShape } from "../src/core/tensor";

const kernel = defineKernel({
  name: "standardise",
  source: wgsl,
  bindings: { x: "read", params: "read", y: "read_write" },
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG") * num(c, "VPT")),
  flops: (c) => 2 * num(c, "COUNT"),
});

/** Second half of z-normalisation: y = (x − params[0]) · params[1], params (2) = mean, 1/std. */
export const standardise = defineOp({
  name: "standardise",
  forward(g, { x, params }) {
    if (elements(params!.shape) !== 2) {
      throw new Error(`standardise: params are ${showShape(params!.shape)}; expected 2`);
    }
    const y = g.tensor("standardised", x!.shape);
    const consts = { COUNT: elements(x!.shape), WG: 64, VPT: 8 };
    g.emit(kernel, { x: x!, params: params!, y }, consts);
    return { y };
  },
});
