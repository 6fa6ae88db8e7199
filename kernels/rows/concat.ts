import wgsl from "../../shaders/rows/concat.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import type { Tensor } from "../../src/core/tensor";
import { channelLayout, channelsOf, elements, showShape } from "../../src/core/tensor";
import { byVectorWidth, vectorWidth } from "../vector_width";

const kernel = byVectorWidth(
  defineKernel({
    name: "concat",
    source: wgsl,
    bindings: { x: "read", y: "read_write" },
    views: ["x", "y"],
    storage: { V: ["x", "y"] },
    grid: (c) => grid1d(num(c, "N") * num(c, "CS"), num(c, "WG")),
  }),
);

/** The tensor whose channels are a's and then b's, if they lie so in memory already. */
function joined(a: Tensor, b: Tensor): Tensor | undefined {
  const base = a.channels?.base;
  if (!base || base !== b.channels?.base) return undefined;
  const [Ca, Cb] = [a.shape[1]!, b.shape[1]!];
  const inOrder = a.channels.first === 0 && b.channels.first === Ca;
  return inOrder && base.shape[1] === Ca + Cb ? base : undefined;
}

/**
 * Concatenation along channels. a: (N, Ca, …), b: (N, Cb, …) → y: (N, Ca + Cb, …). Where a and b are
 * the two channel views of one tensor, y is that tensor and nothing is copied. The gradients are
 * channel views of dy.
 */
export const concat = defineOp({
  name: "concat",
  forward(g, { a, b }) {
    const [N = 0, Ca = 0, ...space] = a?.shape ?? [];
    const [Nb, Cb = 0, ...spaceB] = b?.shape ?? [];
    if (!a || !b || N !== Nb || showShape(space) !== showShape(spaceB)) {
      throw new Error(
        `concat: a is ${a && showShape(a.shape)}, b is ${b && showShape(b.shape)}; ` +
          "expected equal in all but channels",
      );
    }
    const inPlace = joined(a, b);
    if (inPlace) return { y: inPlace };
    const y = g.tensor("joined", [N, Ca + Cb, ...space], a.dtype);
    const width = vectorWidth(elements(space));
    const S = elements(space) / width;
    for (const [x, part] of [
      [a, channelsOf(y, 0, Ca)],
      [b, channelsOf(y, Ca, Cb)],
    ] as const) {
      const [from, to] = [channelLayout(x), channelLayout(part)];
      const views = { X_CT: from.CT, X_C0: from.C0, Y_CT: to.CT, Y_C0: to.C0 };
      g.emit(kernel(width), { x, y: part }, { N, CS: x.shape[1]! * S, S, ...views, WG: 256 });
    }
    return { y };
  },
  backward(_g, { inputs }, { y: dy }) {
    const [Ca, Cb] = [inputs.a!.shape[1]!, inputs.b!.shape[1]!];
    return { a: channelsOf(dy!, 0, Ca), b: channelsOf(dy!, Ca, Cb) };
  },
});
