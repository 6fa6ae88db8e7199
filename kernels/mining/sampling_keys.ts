import wgsl from "../../shaders/mining/sampling_keys.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "sampling_keys",
  source: wgsl,
  bindings: { errors: "read", step: "read", keys: "read_write" },
  grid: (c) => grid1d(num(c, "E"), num(c, "WG")),
});

/** Where in the `step` tensor the generator's 64-bit key lies, as four numbers of 16 bits. */
export const KEY_AT = 8;

/**
 * Random keys (E) whose n largest are a sample of n patches without replacement, in proportion to
 * errors (E): errorᵢ over a standard exponential variate (Efraimidis & Spirakis 2006). Errors that are
 * 0 are drawn last, at random. step: (16), see KEY_AT; the same key gives the same numbers.
 */
export const samplingKeys = defineOp({
  name: "samplingKeys",
  forward(g, { errors, step }) {
    const E = elements(errors!.shape);
    if (elements(step!.shape) < KEY_AT + 4) {
      throw new Error(`samplingKeys: step is ${showShape(step!.shape)}; expected 12 or more`);
    }
    const keys = g.tensor("sampling_keys", [E]);
    g.emit(kernel, { errors: errors!, step: step!, keys }, { E, WG: 64 });
    return { keys };
  },
});
