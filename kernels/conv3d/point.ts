/** 1×1×1 convolutions. Every kernel reads each value of x once per output channel. */

import pointWgsl from "../../shaders/conv3d/conv3d_point.wgsl" with { type: "text" };
import pointDwWgsl from "../../shaders/conv3d/conv3d_point_dw.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Consts } from "../../src/core/kernel";
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import type { Tensor } from "../../src/core/tensor";
import { sourceOf } from "../norm/normalised";
import { partialSumSplits } from "../partial_sums";
import type { ConvTensors, Geometry, GradientTensors } from "./contract";

const ARGS = ["N", "CIN", "COUT", "CT", "C0", "CG", "S4"] as const;
const flops = (c: Consts) => 8 * product(c, "N", "CIN", "COUT", "S4");
/** Vectors of a thread. */
const RUN = 4;

/** Voxels are read in vectors of four. */
export function pointFits({ K, D, H, W }: Geometry): boolean {
  return K === 1 && (D * H * W) % 4 === 0;
}

const point = defineKernel({
  name: "conv3d_point",
  source: pointWgsl,
  bindings: {
    ...{ x: "read", w: "read", b: "read", stats: "read", weight: "read", bias: "read" },
    y: "read_write",
  },
  args: [...ARGS, "TRANSPOSED", "BIAS", "NORM"],
  views: ["x"],
  storage: { X: ["x"], Y: ["y"] },
  grid: (c) => grid1d(product(c, "N", "COUT") * Math.ceil(num(c, "S4") / RUN), num(c, "WG")),
  flops,
});

const pointDw = defineKernel({
  name: "conv3d_point_dw",
  source: pointDwWgsl,
  bindings: {
    ...{ x: "read", dy: "read", stats: "read", weight: "read", bias: "read" },
    parts: "read_write",
  },
  args: [...ARGS, "SPLITS"],
  views: ["x"],
  storage: { X: ["x"], Y: ["dy"] },
  grid: (c) => grid1d(product(c, "N", "COUT", "CIN", "SPLITS"), 1),
  flops,
});

/** x, or what it is normalised from, with the sizes that both kernels take. */
function source(g: Graph, given: Tensor, { N, CIN, COUT, D, H, W }: Geometry) {
  const { from, NORM, layout } = sourceOf(g, given);
  return { from, NORM, args: { N, CIN, COUT, ...layout, S4: (D * H * W) / 4 } };
}

/** y = w x + b, or, without `b`, dx = wᵀ dy. */
export function emitPoint(g: Graph, { x, w, b, y }: ConvTensors, geometry: Geometry): void {
  const { from, NORM, args } = source(g, x, geometry);
  const flags = { TRANSPOSED: Number(!b), BIAS: Number(Boolean(b)), NORM: Number(NORM) };
  g.emit(point, { ...from, w, b: b ?? w, y }, { WG: 64, RUN }, { ...args, ...flags });
}

/** Vectors of a part of the weight gradient, where a sample has several. */
const PART = 1024;

/** Sums over the voxels of each sample, or of its parts: (N · SPLITS, COUT, CIN). */
export function emitPointWeightParts(
  g: Graph,
  { x, dy }: Pick<GradientTensors, "x" | "dy">,
  geometry: Geometry,
): Tensor {
  const { from, NORM, args } = source(g, x, geometry);
  const SPLITS = partialSumSplits(args.S4, PART, g.caps);
  const parts = g.tensor("dw_partial", [geometry.N * SPLITS, geometry.COUT, geometry.CIN]);
  const WG = SPLITS > 1 ? 256 : 64;
  g.emit(pointDw, { ...from, dy, parts }, { NORM, WG }, { ...args, SPLITS });
  return parts;
}
