/**
 * The passes around a Winograd convolution (conv3d_winograd.ts): transforms of inputs, gradients and
 * weights, and of the sums that are the weight gradient. Samples go through in chunks.
 */
import reduceWgsl from "../../shaders/conv3d/conv3d_winograd_dw_reduce.wgsl" with { type: "text" };
import gradientWgsl from "../../shaders/conv3d/conv3d_winograd_gradient.wgsl" with { type: "text" };
import inputWgsl from "../../shaders/conv3d/conv3d_winograd_input.wgsl" with { type: "text" };
import weightsWgsl from "../../shaders/conv3d/conv3d_winograd_weights.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Consts } from "../../src/core/kernel";
import { ceilDiv, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import type { Tensor } from "../../src/core/tensor";
import { channelLayout } from "../../src/core/tensor";
import { normalisedOf, normGradientOf } from "../norm/normalised";
import type { Geometry } from "./contract";

/** Output channels of a block of weights. */
export const BLOCK = 8;
/** Output planes of a transform, and the transformed ones. */
export const OUT = 4;
export const PLANES = 6;
const WG = 64;

/** Rows and columns of a transformed plane, with or without the border of zeros. */
export function planeOf(H: number, W: number, border: boolean): { HP: number; WP: number } {
  return border ? { HP: 8 * ceilDiv(H, 8) + 2, WP: W + 8 } : { HP: H, WP: W };
}

const TRANSFORM_ARGS = ["FIRST", "COUNT", "C", "CT", "C0", "CG", "D", "H", "W4"] as const;

/** Voxels of the transformed planes of one z. */
function planeSize(c: Consts): number {
  const { HP, WP } = planeOf(num(c, "H"), 4 * num(c, "W4"), c.BORDER === true);
  return HP * WP;
}
const transformGrid = (c: Consts) =>
  grid1d((product(c, "COUNT", "C") * planeSize(c)) / 4, num(c, "WG"));

/** Bytes of `maps` maps over a chunk's planes of C channels, and of `sets` sets of transformed ones. */
function transformBytes(c: Consts, maps: number, sets: number): number {
  const read = 4 * product(c, "D", "H", "W4") * maps;
  const written = planeSize(c) * PLANES * ceilDiv(num(c, "D"), OUT) * sets;
  return 4 * product(c, "COUNT", "C") * (read + written);
}

const input = defineKernel({
  name: "conv3d_winograd_input",
  source: inputWgsl,
  bindings: { x: "read", stats: "read", weight: "read", bias: "read", v: "read_write" },
  args: TRANSFORM_ARGS,
  views: ["x"],
  grid: transformGrid,
  bytes: (c) => transformBytes(c, 1, 1),
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
  bytes: (c) => transformBytes(c, c.NORM ? 2 : 1, 1 + num(c, "DX")),
});

const weights = defineKernel({
  name: "conv3d_winograd_weights",
  source: weightsWgsl,
  bindings: { w: "read", u: "read_write" },
  args: ["CIN", "COUT"],
  grid: (c) => grid1d(ceilDiv(num(c, "COUT"), BLOCK) * num(c, "CIN") * 96, num(c, "WG")),
});

const reduce = defineKernel({
  name: "conv3d_winograd_dw_reduce",
  source: reduceWgsl,
  bindings: { parts: "read", dw: "read_write" },
  args: ["ROWS", "SPLITS"],
  grid: (c) => grid1d(num(c, "ROWS") * 9, num(c, "WG")),
});

/** Samples of a batch. */
export interface Chunk {
  readonly FIRST: number;
  readonly COUNT: number;
}

/** The batch in parts whose transformed planes of `channels` channels take at most `bytes`. */
export function chunks(
  { N, D, H, W }: Geometry,
  channels: number,
  bytes: number,
  border: boolean,
): Chunk[] {
  const { HP, WP } = planeOf(H, W, border);
  const each = 4 * channels * ceilDiv(D, OUT) * PLANES * HP * WP;
  const most = Math.max(1, Math.floor(bytes / each));
  const parts = ceilDiv(N, most);
  return Array.from({ length: parts }, (_, i) => {
    const FIRST = Math.floor((i * N) / parts);
    return { FIRST, COUNT: Math.floor(((i + 1) * N) / parts) - FIRST };
  });
}

/** What a transform writes: planes of `geometry`'s volumes, with or without a border of zeros. */
export interface Planes {
  readonly chunk: Chunk;
  readonly geometry: Geometry;
  readonly border: boolean;
}

function transformed(g: Graph, name: string, C: number, { chunk, geometry, border }: Planes) {
  const { D, H, W } = geometry;
  const { HP, WP } = planeOf(H, W, border);
  return g.tensor(name, [chunk.COUNT, C, ceilDiv(D, OUT), PLANES, HP, WP]);
}

function transformArgs(t: Tensor, { chunk, geometry: { D, H, W } }: Planes, groups: number) {
  const C = t.shape[1]!;
  return { ...chunk, C, ...channelLayout(t), CG: C / groups, D, H, W4: W / 4 };
}

/** Bᵀ x of a chunk; x may be the unwritten output of a norm. */
export function transformInput(g: Graph, x: Tensor, planes: Planes): Tensor {
  const v = transformed(g, "winograd_input", x.shape[1]!, planes);
  const norm = normalisedOf(x);
  const from = norm?.inputs ?? { x, stats: plain(x), weight: plain(x), bias: plain(x) };
  const args = transformArgs(from.x, planes, norm?.groups ?? 1);
  g.emit(input, { ...from, v }, { NORM: Boolean(norm), BORDER: planes.border, WG }, args);
  return v;
}

/**
 * A dy and Bᵀ dy of a chunk, the latter if asked for; dy may be an unwritten gradient
 * through a norm.
 */
export function transformGradient(
  g: Graph,
  dy: Tensor,
  DX: boolean,
  planes: Planes,
): { d: Tensor; v: Tensor } {
  const d = transformed(g, "winograd_gradient", dy.shape[1]!, planes);
  const v = DX ? transformed(g, "winograd_input", dy.shape[1]!, planes) : unused(g);
  const norm = normGradientOf(dy);
  const rest = plain(dy);
  const from = norm?.inputs ?? { dy, x: rest, stats: rest, means: rest, weight: rest, bias: rest };
  const args = { ...transformArgs(from.dy, planes, norm?.groups ?? 1), DX: Number(DX) };
  g.emit(gradient, { ...from, d, v }, { NORM: Boolean(norm), BORDER: planes.border, WG }, args);
  return { d, v };
}

/** Stand-ins for bindings that the specialised kernel does not touch: to read, and to write. */
const plain = (x: Tensor) => x.channels?.base ?? x;
export const unused = (g: Graph): Tensor => g.tensor("unused", [4]);

/** G w, packed in blocks of output channels. */
export function transformWeights(
  g: Graph,
  w: Tensor,
  TRANSPOSED: boolean,
  { CIN, COUT }: Pick<Geometry, "CIN" | "COUT">,
): Tensor {
  return g.cached(w, `winograd ${TRANSPOSED}`, () => {
    const u = g.tensor("winograd_weights", [ceilDiv(COUT, BLOCK), PLANES, CIN, 3, BLOCK, 4]);
    g.emit(weights, { w, u }, { TRANSPOSED, WG }, { CIN, COUT });
    return u;
  });
}

/** dw = (ACCUMULATE ? dw : 0) + Gᵀ of the sum of `parts`: (SPLITS, 6, COUT, CIN, 9). */
export function reduceParts(g: Graph, parts: Tensor, dw: Tensor, ACCUMULATE: boolean): void {
  const [SPLITS = 0, , COUT = 0, CIN = 0] = parts.shape;
  g.emit(reduce, { parts, dw }, { ACCUMULATE, WG }, { ROWS: CIN * COUT, SPLITS });
}
