/**
 * 3×3×3 convolution of f16 tensors on subgroup matrices (conv3d_matrix.wgsl): factors as f16, weights
 * too, sums as f32. For adapters that multiply 16×16 matrices so, with subgroups of 32, which Dawn
 * offers as `chromium-experimental-subgroup-matrix`. No adapter at hand has it: what runs on any is
 * the same kernel with its matrices spelt out (test/conv3d_matrix.test.ts).
 */
import matrixWgsl from "../shaders/conv3d_matrix.wgsl" with { type: "text" };
import weightsWgsl from "../shaders/conv3d_matrix_weights.wgsl" with { type: "text" };
import type { Graph } from "../src/core/graph";
import type { Capabilities } from "../src/core/kernel";
import { defineKernel, grid1d, num, product } from "../src/core/kernel";
import type { Tensor } from "../src/core/tensor";
import { channelLayout } from "../src/core/tensor";
import type { ConvTensors, ConvVariant, Geometry } from "./conv3d_forward";
import { normalisedOf, unnormalised } from "./normalised";

const EDGE = 16;
const LANES = 32;
const PLANES = 4;
/** Output channels of a workgroup. */
const CO = 2 * EDGE;

const ceilDiv = (a: number, b: number) => Math.ceil(a / b);

const weights = defineKernel({
  name: "conv3d_matrix_weights",
  source: weightsWgsl,
  bindings: { w: "read", wp: "read_write" },
  storage: { f16: ["wp"] },
  args: ["CIN", "COUT"],
  grid: (c) => {
    const matrices = ceilDiv(num(c, "COUT"), CO) * ceilDiv(num(c, "CIN"), EDGE) * 27;
    return grid1d(matrices * CO * EDGE, num(c, "WG"));
  },
});

const conv = defineKernel({
  name: "conv3d_matrix",
  source: matrixWgsl,
  subgroups: true,
  bindings: {
    ...{ x: "read", wp: "read", b: "read", stats: "read", weight: "read", bias: "read" },
    y: "read_write",
  },
  args: ["N", "CIN", "COUT", "CT", "C0", "CG", "D", "H", "W", "BIAS", "NORM"],
  views: ["x"],
  storage: { f16: ["wp"], X: ["x"], Y: ["y"] },
  grid(c) {
    const tiles = ceilDiv(num(c, "W"), num(c, "TX")) * ceilDiv(num(c, "H"), num(c, "TY"));
    const blocks = ceilDiv(num(c, "COUT"), CO);
    return grid1d(num(c, "N") * tiles * ceilDiv(num(c, "D"), PLANES) * blocks, 1);
  },
  flops: (c) => 2 * 27 * product(c, "N", "CIN", "COUT", "D", "H", "W"),
});

function packWeights(g: Graph, { w, b }: ConvTensors, { CIN, COUT }: Geometry): Tensor {
  return g.once(w, `matrices ${b?.id}`, () => {
    const shape = [ceilDiv(COUT, CO), ceilDiv(CIN, EDGE), 27, CO, EDGE];
    const wp = g.tensor("weight_matrices", shape, "f16");
    g.emit(weights, { w, wp }, { TRANSPOSED: !b, WG: 64 }, { CIN, COUT });
    return wp;
  });
}

/** Wide tiles where rows are long: a row costs two voxels of border. */
const edges = (W: number) => (W > 8 ? { TX: 16, TY: 4 } : { TX: 8, TY: 8 });

/** Bytes of workgroup memory with VS elements a voxel, of the larger of the two tiles. */
const bytes = (VS: number) => 2 * 658 * VS + 4 * PLANES * EDGE ** 2;
const WIDE = 24;

function emit(g: Graph, t: ConvTensors, geometry: Geometry): void {
  const { N, CIN, COUT, D, H, W } = geometry;
  const norm = normalisedOf(t.x);
  const from = norm?.inputs ?? unnormalised(g, t.x);
  const tensors = { ...from, wp: packWeights(g, t, geometry), b: t.b ?? t.w, y: t.y };
  const how = { BIAS: Number(Boolean(t.b)), NORM: Number(Boolean(norm)) };
  const CG = CIN / (norm?.groups ?? 1);
  const args = { N, CIN, COUT, ...channelLayout(from.x), CG, D, H, W, ...how };
  const VS = g.caps.maxWorkgroupBytes >= bytes(WIDE) ? WIDE : EDGE;
  g.emit(conv, tensors, { ...edges(W), VS }, args);
}

function supported(caps: Capabilities): boolean {
  const { subgroupMatrices, subgroupSize, shaderF16, maxInvocations, maxWorkgroupBytes } = caps;
  const multiplies = subgroupMatrices.some(
    ({ M, N, K, component, result }) =>
      [M, N, K].every((edge) => edge === EDGE) && component === "f16" && result === "f32",
  );
  const room = maxInvocations >= PLANES * LANES && maxWorkgroupBytes >= bytes(EDGE);
  return multiplies && shaderF16 && subgroupSize === LANES && room;
}

export const matrixVariant: ConvVariant = {
  name: "matrix",
  supported,
  fits: ({ K }) => K === 3,
  fuses: true,
  f16: "only",
  rounds: ["w"],
  emit,
};
