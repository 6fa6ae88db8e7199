/**
 * 3×3×3 convolution of f16 tensors on subgroup matrices (conv3d_matrix.wgsl): factors as f16, weights
 * too, sums as f32. For adapters that multiply matrices so, with subgroups of 32, which Dawn offers as
 * `chromium-experimental-subgroup-matrix`; what runs on any is the same kernel with its matrices spelt
 * out (test/conv3d_matrix.test.ts). In tiles of several sizes, each a variant of its own.
 */
import matrixWgsl from "../../shaders/conv3d/conv3d_matrix.wgsl" with { type: "text" };
import weightsWgsl from "../../shaders/conv3d/conv3d_matrix_weights.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Capabilities } from "../../src/core/kernel";
import { ceilDiv, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import type { Tensor } from "../../src/core/tensor";
import { sourceOf } from "../norm/normalised";
import { byRowVectorWidth, vectorWidth } from "../vector_width";
import type { ConvTensors, ConvVariant, Geometry } from "./contract";

/** Of a matrix. */
export const EDGE = 16;
/** Of a subgroup. */
export const LANES = 32;

/** What a workgroup computes; `matrix_512x16` has 512 voxels by 16 output channels. */
export interface MatrixTile {
  /** 256 are half as fast, and fit into the 32 KiB of lavapipe, where tests run them. */
  readonly voxels: 256 | 512;
  /** A multiple of 16. */
  readonly channels: number;
}

const TILES: readonly MatrixTile[] = [
  { voxels: 512, channels: 16 },
  { voxels: 512, channels: 32 },
];

/** Whether an adapter multiplies f16 matrices of 16 × 16 by 16 × `columns`, with sums in f32. */
export function multiplies({ subgroupMatrices }: Capabilities, columns: 8 | 16): boolean {
  return subgroupMatrices.some(
    ({ M, N, K, component, result }) =>
      M === EDGE && N === columns && K === EDGE && component === "f16" && result === "f32",
  );
}

/** Edges of a tile for rows of W voxels, and the columns of a matrix: see the shader. */
function edges({ voxels, channels }: MatrixTile, W: number, caps: Capabilities) {
  const CB = channels / EDGE;
  if (W > 16) return { TX: 32, TY: 4, TZ: voxels / 128, RUN: 16, CB };
  if (W <= 8 && multiplies(caps, 8)) return { TX: 8, TY: 8, TZ: voxels / 64, RUN: 8, CB };
  return { TX: 16, TY: voxels / 64, TZ: 4, RUN: 16, CB };
}

type Edges = ReturnType<typeof edges>;

/** A workgroup's: each does eight runs by 16 channels. */
const subgroups = ({ TX, TY, TZ, RUN, CB }: Edges) => ((TX * TY * TZ) / (8 * RUN)) * CB;

/** Bytes of workgroup memory with VS elements a voxel. */
function bytes(e: Edges, VS: number): number {
  return 2 * VS * (e.TX + 2) * (e.TY + 2) * (e.TZ + 2) + 4 * EDGE * e.RUN * subgroups(e);
}

/** From voxel to voxel: multiples of 16 bytes, the first such that eight are on different banks. */
export const WIDE = 24;

function shape(tile: MatrixTile, W: number, caps: Capabilities) {
  const found = edges(tile, W, caps);
  const VS = bytes(found, WIDE) <= caps.maxWorkgroupBytes ? WIDE : EDGE;
  return { ...found, VS };
}

function supported(tile: MatrixTile, caps: Capabilities): boolean {
  const all = [8, 16, 32].map((W) => edges(tile, W, caps));
  const room = all.every(
    (e) => LANES * subgroups(e) <= caps.maxInvocations && bytes(e, EDGE) <= caps.maxWorkgroupBytes,
  );
  return multiplies(caps, 16) && caps.shaderF16 && caps.subgroupSize === LANES && room;
}

function tilesOf({ TX, TY, TZ }: Edges, { D, H, W }: Geometry): number {
  return ceilDiv(W, TX) * ceilDiv(H, TY) * ceilDiv(D, TZ);
}

const weights = defineKernel({
  name: "conv3d_matrix_weights",
  source: weightsWgsl,
  bindings: { w: "read", wp: "read_write" },
  storage: { f16: ["wp"] },
  args: ["CIN", "COUT"],
  grid: (c) => {
    const matrices = ceilDiv(num(c, "COUT"), EDGE) * ceilDiv(num(c, "CIN"), EDGE) * 27;
    return grid1d(matrices * EDGE ** 2, num(c, "WG"));
  },
});

const conv = byRowVectorWidth(
  defineKernel({
    name: "conv3d_matrix",
    source: matrixWgsl,
    subgroups: true,
    bindings: {
      ...{ x: "read", wp: "read", b: "read", stats: "read", weight: "read", bias: "read" },
      ...{ y: "read_write", parts: "read_write" },
    },
    args: ["N", "CIN", "COUT", "CT", "C0", "CG", "D", "H", "W", "BIAS"],
    views: ["x"],
    storage: { f16: ["wp"], X: ["x"], Y: ["y"] },
    grid(c) {
      const along = (size: string, edge: string) => ceilDiv(num(c, size), num(c, edge));
      const tiles = along("W", "TX") * along("H", "TY") * along("D", "TZ");
      return grid1d(num(c, "N") * tiles * ceilDiv(num(c, "COUT"), EDGE * num(c, "CB")), 1);
    },
    flops: (c) => 2 * 27 * product(c, "N", "CIN", "COUT", "D", "H", "W"),
  }),
);

function packWeights(g: Graph, { w, b }: ConvTensors, { CIN, COUT }: Geometry): Tensor {
  return g.cached(w, `matrices ${b?.id}`, () => {
    const shape = [ceilDiv(COUT, EDGE), ceilDiv(CIN, EDGE), 27, EDGE, EDGE];
    const wp = g.tensor("weight_matrices", shape, "f16");
    g.emit(weights, { w, wp }, { TRANSPOSED: !b, WG: 64 }, { CIN, COUT });
    return wp;
  });
}

function emit(g: Graph, t: ConvTensors, geometry: Geometry, tile: MatrixTile): void {
  const { N, CIN, COUT, D, H, W } = geometry;
  const { from, NORM, layout } = sourceOf(g, t.x);
  const parts = t.moments ?? g.tensor("unused", [4]);
  const tensors = { ...from, wp: packWeights(g, t, geometry), b: t.b ?? t.w, y: t.y, parts };
  const WIDTH = vectorWidth(W);
  const how = { NORM, STATS: Boolean(t.moments) };
  const args = { N, CIN, COUT, ...layout, D, H, W, BIAS: Number(Boolean(t.b)) };
  g.emit(conv(WIDTH), tensors, { ...shape(tile, W, g.caps), WIDTH, ...how }, args);
}

export const matrixVariant = (tile: MatrixTile): ConvVariant => ({
  name: `matrix_${tile.voxels}x${tile.channels}`,
  supported: (caps) => supported(tile, caps),
  fits: ({ K }) => K === 3,
  fuses: true,
  f16: "only",
  rounds: ["w"],
  momentParts: (geometry, caps) => tilesOf(edges(tile, geometry.W, caps), geometry),
  emit: (g, t, geometry) => emit(g, t, geometry, tile),
});
export const matrixVariants: readonly ConvVariant[] = TILES.map(matrixVariant);
