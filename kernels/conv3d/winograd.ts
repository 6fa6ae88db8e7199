/**
 * 3×3×3 convolution by Winograd's minimal filtering F(4, 3) along z (Winograd 1980; Lavin & Gray
 * 2016): half the multiplications of the direct one, and each a 2-D convolution of transformed
 * planes. With d six planes of the input, g the kernel's three, y four of the output:
 *
 *   y = Aᵀ[(G g) ⊙ (Bᵀ d)],   dg = Gᵀ[(A dy) ⊙ (Bᵀ d)]
 *
 * at the points 0, ±3/4, ±3/2 and ∞, whose rounding error is the least of those we tried
 * (docs/engine/convolution.md). The planes are convolved by subgroups of 8 that share their loads, or by
 * quads. Samples go through in chunks, so that transformed planes stay few.
 */

import convWgsl from "../../shaders/conv3d/conv3d_winograd.wgsl" with { type: "text" };
import dwWgsl from "../../shaders/conv3d/conv3d_winograd_dw.wgsl" with { type: "text" };
import quadWgsl from "../../shaders/conv3d/conv3d_winograd_quad.wgsl" with { type: "text" };
import quadDwWgsl from "../../shaders/conv3d/conv3d_winograd_quad_dw.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Capabilities, Consts, Grid } from "../../src/core/kernel";
import { ceilDiv, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import type { Tensor } from "../../src/core/tensor";
import type { ConvTensors, Geometry, GradientTensors } from "./contract";
import {
  BLOCK,
  type Chunk,
  chunks,
  OUT,
  PLANES,
  planeOf,
  reduceParts,
  transformGradient,
  transformInput,
  transformWeights,
  unused,
} from "./winograd_passes";

/** Lanes of `winograd`: an output channel each. */
const LANES = 8;
/** Most bytes of a chunk's transformed planes. */
const CHUNK_BYTES = 2 ** 24;

const tilesZ = (c: Consts) => ceilDiv(num(c, "D"), OUT);

/** Rows are read, or written, in vectors of four. */
const rowsFit = ({ K, W }: Geometry) => K === 3 && W % 4 === 0;

const CONV_ARGS = ["FIRST", "COUNT", "CIN", "COUT", "D", "H", "W", "BIAS", "STATS"] as const;
const DW_ARGS = ["COUNT", "CIN", "COUT", "ZT", "H", "W", "SPLITS"] as const;

const convFlops = (c: Consts) => 2 * 27 * product(c, "COUNT", "CIN", "COUT", "D", "H", "W");
const dwFlops = (c: Consts) => 2 * 27 * OUT * product(c, "COUNT", "CIN", "COUT", "ZT", "H", "W");

function convBytes(c: Consts, border: boolean): number {
  const { HP, WP } = planeOf(num(c, "H"), num(c, "W"), border);
  const read = num(c, "CIN") * PLANES * tilesZ(c) * HP * WP;
  const written = product(c, "COUT", "D", "H", "W");
  const packed = 4 * PLANES * 12 * num(c, "CIN") * BLOCK * ceilDiv(num(c, "COUT"), BLOCK);
  return 4 * num(c, "COUNT") * (read + written) + packed;
}

function convGrid(c: Consts, TX: number, blocksPerWorkgroup: number): Grid {
  const tiles = ceilDiv(num(c, "W"), TX) * ceilDiv(num(c, "H"), 8) * tilesZ(c);
  const blocks = ceilDiv(num(c, "COUT"), BLOCK);
  return grid1d(num(c, "COUNT") * tiles * blocks, blocksPerWorkgroup);
}

const lanesConv = defineKernel({
  name: "conv3d_winograd",
  source: convWgsl,
  subgroups: true,
  bindings: {
    ...{ v: "read", v4: "read", u: "read", b: "read" },
    ...{ y: "read_write", parts: "read_write" },
  },
  args: CONV_ARGS,
  grid: (c) => convGrid(c, 8, 1),
  flops: convFlops,
  bytes: (c) => convBytes(c, false),
});

const quadConv = defineKernel({
  name: "conv3d_winograd_quad",
  source: quadWgsl,
  subgroups: true,
  bindings: { v: "read", u: "read", b: "read", y: "read_write", parts: "read_write" },
  args: CONV_ARGS,
  grid: (c) => convGrid(c, 4, num(c, "LANES") / 4),
  flops: convFlops,
  bytes: (c) => convBytes(c, true),
});

/** Subgroups or quads that have work of a weight gradient, for each of SPLITS. */
const dwTasks = (CIN: number, COUT: number, inputs: number) =>
  PLANES * ceilDiv(CIN, inputs) * ceilDiv(COUT, BLOCK);

const lanesDw = defineKernel({
  name: "conv3d_winograd_dw",
  source: dwWgsl,
  subgroups: true,
  bindings: { v: "read", v4: "read", d: "read", parts: "read_write" },
  args: DW_ARGS,
  grid: (c) => grid1d(dwTasks(num(c, "CIN"), num(c, "COUT"), 8) * num(c, "SPLITS"), 1),
  flops: dwFlops,
});

const quadDw = defineKernel({
  name: "conv3d_winograd_quad_dw",
  source: quadDwWgsl,
  subgroups: true,
  bindings: { v: "read", d: "read", parts: "read_write" },
  args: DW_ARGS,
  grid(c) {
    const tasks = dwTasks(num(c, "CIN"), num(c, "COUT"), 4);
    return grid1d(ceilDiv(tasks, num(c, "LANES") / 4) * num(c, "SPLITS"), 1);
  },
  flops: dwFlops,
});

/** Who convolves the planes. */
export interface WinogradKind {
  readonly supported: (caps: Capabilities) => boolean;
  readonly fits: (geometry: Geometry) => boolean;
  /** Fewest input channels of a convolution, not of a weight gradient. */
  readonly fewest: number;
  /** Planes have a border of zeros. */
  readonly border: boolean;
  /** Voxels along x of a tile. */
  readonly tileX: number;
  /** Input channels of a subgroup or quad in the weight gradient. */
  readonly inputs: number;
  readonly convolve: (
    g: Graph,
    t: Readonly<Record<"v" | "u" | "b" | "y" | "parts", Tensor>>,
    args: Readonly<Record<string, number>>,
  ) => void;
  readonly correlate: (
    g: Graph,
    t: Readonly<Record<"v" | "d" | "parts", Tensor>>,
    args: Readonly<Record<string, number>>,
  ) => void;
}

/** Subgroups of 8, with tiles of 8 × 8 voxels. */
export const winogradLanes: WinogradKind = {
  supported: ({ subgroupSize }) => subgroupSize === LANES,
  fits: rowsFit,
  fewest: 1,
  border: false,
  tileX: 8,
  inputs: 8,
  convolve: (g, t, args) => g.emit(lanesConv, { ...t, v4: t.v }, {}, args),
  correlate: (g, t, args) => g.emit(lanesDw, { ...t, v4: t.v }, {}, args),
};

/**
 * Quads, in workgroups of one subgroup of any size. With few terms, at the border of the volume fewer
 * still, the rounding of planes that cancel in the sum comes close to the bound of a direct sum.
 */
export const winogradQuads: WinogradKind = {
  supported: ({ subgroupSize: n, maxInvocations }) =>
    n !== null && n % 4 === 0 && n <= maxInvocations,
  fits: rowsFit,
  fewest: 3,
  border: true,
  tileX: 4,
  inputs: 4,
  convolve: (g, t, args) => g.emit(quadConv, t, { LANES: g.caps.subgroupSize! }, args),
  correlate: (g, t, args) => g.emit(quadDw, t, { LANES: g.caps.subgroupSize! }, args),
};

/** Tiles that the subgroups or quads of a block of output channels share out among them. */
export const winogradTiles =
  ({ tileX }: WinogradKind) =>
  ({ D, H, W }: Geometry): number =>
    ceilDiv(W, tileX) * ceilDiv(H, 8) * ceilDiv(D, OUT);

type Convolved = Omit<ConvTensors, "x" | "w"> & Readonly<Record<"v" | "u", Tensor>>;

/** y from the transformed planes `v` of a chunk. */
function convolve(
  g: Graph,
  kind: WinogradKind,
  { v, u, b, y, moments }: Convolved,
  chunk: Chunk,
  { CIN, COUT, D, H, W }: Geometry,
): void {
  const parts = moments ?? unused(g);
  const wanted = { BIAS: Number(Boolean(b)), STATS: Number(Boolean(moments)) };
  kind.convolve(g, { v, u, b: b ?? u, y, parts }, { ...chunk, CIN, COUT, D, H, W, ...wanted });
}

/** y = conv(x, w) + b, or, without `b`, dx from dy. */
export const emitWinograd =
  (kind: WinogradKind) =>
  (g: Graph, { x, w, b, y, moments }: ConvTensors, geometry: Geometry): void => {
    const u = transformWeights(g, w, !b, geometry);
    const { border } = kind;
    for (const chunk of chunks(geometry, geometry.CIN, CHUNK_BYTES, border)) {
      const v = transformInput(g, x, { chunk, geometry, border });
      convolve(g, kind, { v, u, b, y, moments }, chunk, geometry);
    }
  };

/** Subgroups or quads that share the work of a chunk's weight gradient. */
const TASKS = 128;

interface BackwardTensors extends GradientTensors {
  readonly w: Tensor;
  /** Where the input's gradient goes, if it is wanted. */
  readonly dx?: Tensor;
}

/** dw and, if wanted, dx; `geometry` is the forward convolution's. */
export const emitWinogradBackward =
  (kind: WinogradKind) =>
  (
    g: Graph,
    { x, dy, dw, w, dx }: BackwardTensors,
    geometry: Geometry,
    accumulate: boolean,
  ): void => {
    const { CIN, COUT, D, H, W } = geometry;
    const { border } = kind;
    const back = { ...geometry, CIN: COUT, COUT: CIN };
    const ZT = ceilDiv(D, OUT);
    const u = dx && transformWeights(g, w, true, back);
    let onto = accumulate;
    for (const chunk of chunks(geometry, CIN + COUT, 2 * CHUNK_BYTES, border)) {
      const planes = { chunk, geometry, border };
      const { d, v } = transformGradient(g, dy, Boolean(dx), planes);
      if (dx && u) convolve(g, kind, { v, u, y: dx }, chunk, back);
      const vx = transformInput(g, x, planes);
      const { COUNT } = chunk;
      const tasks = dwTasks(CIN, COUT, kind.inputs);
      const SPLITS = Math.min(COUNT * ZT, ceilDiv(TASKS, tasks));
      const parts = g.tensor("dw_partial", [SPLITS, PLANES, COUT, CIN, 9]);
      kind.correlate(g, { v: vx, d, parts }, { COUNT, CIN, COUT, ZT, H, W, SPLITS });
      reduceParts(g, parts, dw, onto);
      onto = true;
    }
  };

/** The weight gradient alone. */
export const emitWinogradWeightGradient =
  (kind: WinogradKind) =>
  (g: Graph, t: GradientTensors, geometry: Geometry, accumulate: boolean): void =>
    emitWinogradBackward(kind)(g, { ...t, w: t.dw }, geometry, accumulate);
