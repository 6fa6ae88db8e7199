import wgsl from "../../shaders/conv3d/conv3d_pack.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import type { Tensor } from "../../src/core/tensor";
import type { ConvTensors, Geometry } from "./contract";

const pack = defineKernel({
  name: "conv3d_pack",
  source: wgsl,
  bindings: { w: "read", b: "read", wp: "read_write" },
  grid: (c) => {
    const blocks = Math.ceil(num(c, "COUT") / num(c, "CB"));
    return grid1d(blocks * (1 + num(c, "CIN") * num(c, "T")) * num(c, "CB"), 64);
  },
});

/** Weights and biases in blocks of CB output channels, see conv3d_pack.wgsl. */
export function packWeights(
  g: Graph,
  { w, b }: ConvTensors,
  { CIN, COUT, K }: Geometry,
  CB: number,
): Tensor {
  const T = K ** 3;
  return g.cached(w, `packed ${b?.id} ${CB}`, () => {
    const wp = g.tensor("packed_weights", [Math.ceil(COUT / CB), 1 + CIN * T, CB]);
    const how = { TRANSPOSED: !b, BIAS: Boolean(b), WG: 64 };
    g.emit(pack, { w, b: b ?? w, wp }, { CIN, COUT, T, CB, ...how });
    return wp;
  });
}
