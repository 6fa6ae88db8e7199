/**
 * 3×3×3 convolution by Winograd's minimal filtering F(4, 3) along z (Winograd 1980; Lavin & Gray
 * 2016), for subgroups of 8: half the multiplications of the direct one, and each a 2-D convolution
 * of transformed planes. With d six planes of the input, g the kernel's three, y four of the output:
 *
 *   y = Aᵀ[(G g) ⊙ (Bᵀ d)],   dg = Gᵀ[(A dy) ⊙ (Bᵀ d)]
 *
 * at the points 0, ±3/4, ±3/2 and ∞, whose rounding error is the least of those we tried
 * (docs/convolution.md). Samples go through in chunks, so that transformed planes stay few.
 */

import convWgsl from "../shaders/conv3d_winograd.wgsl" with { type: "text" };
import dwWgsl from "../shaders/conv3d_winograd_dw.wgsl" with { type: "text" };
import reduceWgsl from "../shaders/conv3d_winograd_dw_reduce.wgsl" with { type: "text" };
import gradientWgsl from "../shaders/conv3d_winograd_gradient.wgsl" with { type: "text" };
import inputWgsl from "../shaders/conv3d_winograd_input.wgsl" with { type: "text" };
import weightsWgsl from "../shaders/conv3d_winograd_weights.wgsl" with { type: "text" };
import type { Graph } from "../src/core/graph";
import type { Capabilities, Consts } from "../src/core/kernel";
import { defineKernel, grid1d, num, product } from "../src/core/kernel";
import type { Tensor } from "../src/core/tensor";
import { channelLayout } from "../src/core/tensor";
import type { ConvTensors, Geometry } from "./conv3d_forward";
import type { GradientTensors } from "./conv3d_weights";
import { normalisedOf, normGradientOf } from "./normalised";

/** Output channels, and lanes, of a subgroup; and input channels of the weight gradient's. */
const LANES = 8;
/** Output planes of a transform, and the transformed ones. */
const OUT = 4;
const PLANES = 6;
const WG = 64;
/** Most bytes of a chunk's transformed planes. */
const CHUNK_BYTES = 2 ** 24;

const ceilDiv = (a: number, b: number) => Math.ceil(a / b);
const tilesZ = (c: Consts) => ceilDiv(num(c, "D"), OUT);

export function winogradSupported(caps: Capabilities): boolean {
  return caps.subgroupSize === LANES;
}

/** Rows are read in vectors of four. */
export function winogradFits({ K, W }: Geometry): boolean {
  return K === 3 && W % 4 === 0;
}

const TRANSFORM_ARGS = ["FIRST", "COUNT", "C", "CT", "C0", "CG", "D", "H", "W4"] as const;
const transformGrid = (c: Consts) => grid1d(product(c, "COUNT", "C", "H", "W4"), num(c, "WG"));
/** Bytes of `maps` maps over a chunk's planes of C channels, and of `planes` sets of transformed ones. */
const planeBytes = (c: Consts, maps: number, planes: number) =>
  16 * product(c, "COUNT", "C", "H", "W4") * (maps * num(c, "D") + planes * PLANES * tilesZ(c));
const directFlops = (c: Consts) => 2 * 27 * product(c, "COUNT", "CIN", "COUT", "D", "H", "W");

const input = defineKernel({
  name: "conv3d_winograd_input",
  source: inputWgsl,
  bindings: { x: "read", stats: "read", weight: "read", bias: "read", v: "read_write" },
  args: TRANSFORM_ARGS,
  views: ["x"],
  grid: transformGrid,
  bytes: (c) => planeBytes(c, 1, 1),
});

const gradient = defineKernel({
  name: "conv3d_winograd_gradient",
  source: gradientWgsl,
  bindings: {
    ...{ dy: "read", x: "read", stats: "read", means: "read", weight: "read", bias: "read" },
    ...{ d: "read_write", v: "read_write" },
  },
  args: [...TRANSFORM_ARGS, "DX"],
  views: ["dy"],
  grid: transformGrid,
  bytes: (c) => planeBytes(c, c.NORM ? 2 : 1, 1 + num(c, "DX")),
});

const weights = defineKernel({
  name: "conv3d_winograd_weights",
  source: weightsWgsl,
  bindings: { w: "read", u: "read_write" },
  args: ["CIN", "COUT"],
  grid: (c) => grid1d(ceilDiv(num(c, "COUT"), LANES) * num(c, "CIN") * 96, num(c, "WG")),
});

const conv = defineKernel({
  name: "conv3d_winograd",
  source: convWgsl,
  subgroups: true,
  bindings: {
    ...{ v: "read", v4: "read", u: "read", b: "read" },
    ...{ y: "read_write", parts: "read_write" },
  },
  args: ["FIRST", "COUNT", "CIN", "COUT", "D", "H", "W", "BIAS", "STATS"],
  grid(c) {
    const tiles = ceilDiv(num(c, "W"), num(c, "TX")) * ceilDiv(num(c, "H"), 8) * tilesZ(c);
    return grid1d(num(c, "COUNT") * tiles * ceilDiv(num(c, "COUT"), LANES), 1);
  },
  flops: directFlops,
  bytes(c) {
    const planes = num(c, "CIN") * PLANES * tilesZ(c) + num(c, "COUT") * num(c, "D");
    const packed = 4 * PLANES * 12 * num(c, "CIN") * LANES * ceilDiv(num(c, "COUT"), LANES);
    return 4 * product(c, "COUNT", "H", "W") * planes + packed;
  },
});

const dwTasks = (CIN: number, COUT: number) => PLANES * ceilDiv(CIN, LANES) * ceilDiv(COUT, LANES);

const dw = defineKernel({
  name: "conv3d_winograd_dw",
  source: dwWgsl,
  subgroups: true,
  bindings: { v: "read", v4: "read", d: "read", parts: "read_write" },
  args: ["COUNT", "CIN", "COUT", "ZT", "H", "W", "SPLITS"],
  grid: (c) => grid1d(dwTasks(num(c, "CIN"), num(c, "COUT")) * num(c, "SPLITS"), 1),
  flops: (c) => 2 * 27 * OUT * product(c, "COUNT", "CIN", "COUT", "ZT", "H", "W"),
});

const reduce = defineKernel({
  name: "conv3d_winograd_dw_reduce",
  source: reduceWgsl,
  bindings: { parts: "read", dw: "read_write" },
  args: ["ROWS", "SPLITS"],
  grid: (c) => grid1d(num(c, "ROWS") * 9, num(c, "WG")),
});

interface Chunk {
  readonly FIRST: number;
  readonly COUNT: number;
}

/** The batch in parts whose transformed planes of `channels` channels take at most `bytes`. */
function chunks({ N, D, H, W }: Geometry, channels: number, bytes: number): Chunk[] {
  const each = 4 * channels * ceilDiv(D, OUT) * PLANES * H * W;
  const most = Math.max(1, Math.floor(bytes / each));
  const parts = ceilDiv(N, most);
  return Array.from({ length: parts }, (_, i) => {
    const FIRST = Math.floor((i * N) / parts);
    return { FIRST, COUNT: Math.floor(((i + 1) * N) / parts) - FIRST };
  });
}

function transformed(g: Graph, name: string, { COUNT }: Chunk, C: number, geometry: Geometry) {
  const { D, H, W } = geometry;
  return g.tensor(name, [COUNT, C, ceilDiv(D, OUT), PLANES, H, W]);
}

function transformArgs(t: Tensor, chunk: Chunk, { D, H, W }: Geometry, groups: number) {
  const C = t.shape[1]!;
  return { ...chunk, C, ...channelLayout(t), CG: C / groups, D, H, W4: W / 4 };
}

/** Bᵀ x of a chunk; x may be deferred behind a normalisation. */
function transformInput(g: Graph, x: Tensor, chunk: Chunk, geometry: Geometry): Tensor {
  const v = transformed(g, "winograd_input", chunk, x.shape[1]!, geometry);
  const norm = normalisedOf(x);
  const from = norm?.inputs ?? { x, stats: plain(x), weight: plain(x), bias: plain(x) };
  const args = transformArgs(from.x, chunk, geometry, norm?.groups ?? 1);
  g.emit(input, { ...from, v }, { NORM: Boolean(norm), WG }, args);
  return v;
}

/** A dy and Bᵀ dy of a chunk, the latter if asked for; dy may be deferred behind a normalisation. */
function transformGradient(
  g: Graph,
  dy: Tensor,
  DX: boolean,
  chunk: Chunk,
  geometry: Geometry,
): { d: Tensor; v: Tensor } {
  const d = transformed(g, "winograd_gradient", chunk, dy.shape[1]!, geometry);
  const v = DX ? transformed(g, "winograd_input", chunk, dy.shape[1]!, geometry) : unused(g);
  const norm = normGradientOf(dy);
  const rest = plain(dy);
  const from = norm?.inputs ?? { dy, x: rest, stats: rest, means: rest, weight: rest, bias: rest };
  const args = transformArgs(from.dy, chunk, geometry, norm?.groups ?? 1);
  g.emit(gradient, { ...from, d, v }, { NORM: Boolean(norm), WG }, { ...args, DX: Number(DX) });
  return { d, v };
}

/** Stand-ins for bindings that the specialised kernel does not touch: to read, and to write. */
const plain = (x: Tensor) => x.channels?.base ?? x;
const unused = (g: Graph) => g.tensor("unused", [4]);

function transformWeights(g: Graph, w: Tensor, TRANSPOSED: boolean, CIN: number, COUT: number) {
  return g.once(w, `winograd ${TRANSPOSED}`, () => {
    const u = g.tensor("winograd_weights", [ceilDiv(COUT, LANES), PLANES, CIN, 3, LANES, 4]);
    g.emit(weights, { w, u }, { TRANSPOSED, WG }, { CIN, COUT });
    return u;
  });
}

/** Voxels along x of a tile: two rows' loads at once where a row is long enough. */
const tileX = (W: number) => (W >= 16 ? 16 : 8);

/** Tiles that the subgroups of a block of output channels share out among them. */
export const winogradTiles = ({ D, H, W }: Geometry) =>
  ceilDiv(W, tileX(W)) * ceilDiv(H, 8) * ceilDiv(D, OUT);

type Convolved = Omit<ConvTensors, "x" | "w"> & Readonly<Record<"v" | "u", Tensor>>;

/** y from the transformed planes `v` of a chunk. */
function convolve(
  g: Graph,
  { v, u, b, y, moments }: Convolved,
  chunk: Chunk,
  { CIN, COUT, D, H, W }: Geometry,
): void {
  const parts = moments ?? unused(g);
  const wanted = { BIAS: Number(Boolean(b)), STATS: Number(Boolean(moments)) };
  const args = { ...chunk, CIN, COUT, D, H, W, ...wanted };
  g.emit(conv, { v, v4: v, u, b: b ?? u, y, parts }, { TX: tileX(W) }, args);
}

/** y = conv(x, w) + b, or, without `b`, dx from dy. */
export function emitWinograd(
  g: Graph,
  { x, w, b, y, moments }: ConvTensors,
  geometry: Geometry,
): void {
  const { CIN, COUT } = geometry;
  const u = transformWeights(g, w, !b, CIN, COUT);
  for (const chunk of chunks(geometry, CIN, CHUNK_BYTES)) {
    const v = transformInput(g, x, chunk, geometry);
    convolve(g, { v, u, b, y, moments }, chunk, geometry);
  }
}

/** Subgroups that share the work of a chunk's weight gradient. */
const SUBGROUPS = 128;

interface BackwardTensors extends GradientTensors {
  readonly w: Tensor;
  /** Where the input's gradient goes, if it is wanted. */
  readonly dx?: Tensor;
}

/** dw and, if wanted, dx; `geometry` is the forward convolution's. */
export function emitWinogradBackward(
  g: Graph,
  { x, dy, dw: into, w, dx }: BackwardTensors,
  geometry: Geometry,
  accumulate: boolean,
): void {
  const { CIN, COUT, D, H, W } = geometry;
  const back = { ...geometry, CIN: COUT, COUT: CIN };
  const ZT = ceilDiv(D, OUT);
  const u = dx && transformWeights(g, w, true, COUT, CIN);
  let ACCUMULATE = accumulate;
  for (const chunk of chunks(geometry, CIN + COUT, 2 * CHUNK_BYTES)) {
    const { d, v } = transformGradient(g, dy, Boolean(dx), chunk, geometry);
    if (dx && u) convolve(g, { v, u, y: dx }, chunk, back);
    const vx = transformInput(g, x, chunk, geometry);
    const { COUNT } = chunk;
    const SPLITS = Math.min(COUNT * ZT, ceilDiv(SUBGROUPS, dwTasks(CIN, COUT)));
    const parts = g.tensor("dw_partial", [SPLITS, PLANES, COUT, CIN, 9]);
    g.emit(dw, { v: vx, v4: vx, d, parts }, {}, { COUNT, CIN, COUT, ZT, H, W, SPLITS });
    g.emit(reduce, { parts, dw: into }, { ACCUMULATE, WG }, { ROWS: CIN * COUT, SPLITS });
    ACCUMULATE = true;
  }
}

/** The weight gradient alone. */
export function emitWinogradWeightGradient(
  g: Graph,
  t: GradientTensors,
  geometry: Geometry,
  accumulate: boolean,
): void {
  emitWinogradBackward(g, { ...t, w: t.dw }, geometry, accumulate);
}
