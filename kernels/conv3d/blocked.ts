/**
 * 3×3×3 convolution for GPUs: register blocks fed from workgroup memory (conv3d_blocked*.wgsl), in
 * tiles of several sizes, each a variant of its own.
 */
import blockedWgsl from "../../shaders/conv3d/conv3d_blocked.wgsl" with { type: "text" };
import dwWgsl from "../../shaders/conv3d/conv3d_blocked_dw.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Capabilities } from "../../src/core/kernel";
import { ceilDiv, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import type { Tensor } from "../../src/core/tensor";
import { sourceOf } from "../norm/normalised";
import { byRowVectorWidth, vectorWidth } from "../vector_width";
import type { Geometry, GradientTensors } from "./contract";
import { shape, type Tile, tiledVariants } from "./tiled";

/**
 * In order of preference where nothing is known: the first two fit into 16 KiB. The second is for
 * small volumes, of which larger tiles would make fewer workgroups than a GPU has multiprocessors,
 * the last for few output channels.
 */
const TILES: readonly Tile[] = [
  { voxels: 512, channels: 16 },
  { voxels: 256, channels: 16 },
  { voxels: 1024, channels: 8 },
];

/** Threads of a workgroup: two rows of 4 voxels by 8 channels each. */
const threads = ({ voxels, channels }: Tile) => (voxels / 8) * (channels / 8);

function workgroupBytes(tile: Tile, W: number): number {
  const { TX, TY, TZ, CB } = shape(tile, W);
  const half = ((TY + 2) / 2) * (TZ + 2) * (TX / 4 + 1);
  return 16 * (4 * Math.max(half, threads(tile)) + (27 * CB) / 2);
}

export const blockedVariants = tiledVariants("blocked", blockedWgsl, TILES, {
  threads,
  workgroupBytes,
});

/**
 * What a workgroup computes of the weight gradient; `blocked_8x16_8x4` has 8 input by 16 output channels,
 * from columns of 8 × 4 voxels (x, y).
 */
interface Block {
  readonly inputs: number;
  /**
   * A multiple of 4, at most 10 · (across + 1), half of that if sparing: the scratch of the shader has
   * room for no more.
   */
  readonly outputs: number;
  /** Vectors of a column's row. */
  readonly across: number;
  readonly rows: 4 | 8;
  /** With half the registers a thread, for AMD's GCN: SPARING of the shader. */
  readonly sparing?: true;
}

/**
 * For most convolutions, for small volumes, and for the first one: the first two fit into 16 KiB. Then
 * the same, sparing; their workgroups have 96 or 192 threads, whole parts of what a GCN SIMD can hold.
 */
export const BLOCKS: readonly Block[] = [
  { inputs: 8, outputs: 16, across: 2, rows: 4 },
  { inputs: 8, outputs: 16, across: 1, rows: 4 },
  { inputs: 2, outputs: 16, across: 4, rows: 8 },
  { inputs: 4, outputs: 16, across: 2, rows: 4, sparing: true },
  { inputs: 8, outputs: 8, across: 1, rows: 4, sparing: true },
  { inputs: 2, outputs: 16, across: 2, rows: 4, sparing: true },
];

export const blockName = ({ inputs, outputs, across, rows, sparing }: Block): string =>
  `${sparing ? "sparing" : "blocked"}_${inputs}x${outputs}_${4 * across}x${rows}`;

/** Output channels of a thread. */
const eachOf = ({ sparing }: Block) => (sparing ? 2 : 4);

/** Threads: a plane of the kernel, an input and some output channels and a vector of the row each. */
const blockThreads = (block: Block) =>
  3 * block.inputs * (block.outputs / eachOf(block)) * block.across;

export function blockSupported(block: Block, caps: Capabilities): boolean {
  const { inputs, outputs, rows, across } = block;
  const each = eachOf(block);
  const planes = 4 * inputs * (across + 1) * (rows + 3);
  const bytes = 16 * (planes + 2 * (outputs / each) * across * (each * rows + 1));
  return blockThreads(block) <= caps.maxInvocations && bytes <= caps.maxWorkgroupBytes;
}

const blockedDw = byRowVectorWidth(
  defineKernel({
    name: "conv3d_blocked_dw",
    source: dwWgsl,
    bindings: {
      ...{ x: "read", dy: "read", stats: "read", weight: "read", bias: "read" },
      parts: "read_write",
    },
    args: ["N", "CIN", "COUT", "CT", "C0", "CG", "D", "H", "W", "SPLITS"],
    views: ["x"],
    storage: { V: ["x", "dy"] },
    grid(c) {
      const blocks = ceilDiv(num(c, "CIN"), num(c, "CI")) * ceilDiv(num(c, "COUT"), num(c, "CO"));
      return grid1d(blocks * num(c, "SPLITS"), 1);
    },
    flops: (c) => 2 * 27 * product(c, "N", "CIN", "COUT", "D", "H", "W"),
  }),
);

/** Of all workgroups, enough for a large GPU: 384 for each of 132 multiprocessors. */
const THREADS = 384 * 132;

/**
 * Partial sums of the weight gradient: (SPLITS, COUT, CIN, 3, 3, 3). x may be the unwritten output of a
 * norm.
 */
export function blockedWeightParts(
  g: Graph,
  { x, dy }: Pick<GradientTensors, "x" | "dy">,
  { N, CIN, COUT, D, H, W }: Geometry,
  block: Block,
): Tensor {
  const { inputs: CI, outputs: CO, rows: TY, across: SIDES } = block;
  const columns = N * ceilDiv(H, TY) * ceilDiv(W, 4 * SIDES);
  const workgroups = Math.round(THREADS / blockThreads(block));
  const wanted = Math.max(1, Math.floor(workgroups / (ceilDiv(CIN, CI) * ceilDiv(COUT, CO))));
  // As many columns for each workgroup, and none without.
  const SPLITS = ceilDiv(columns, ceilDiv(columns, wanted));
  const parts = g.tensor("dw_partial", [SPLITS, COUT, CIN, 3, 3, 3]);
  const { from, NORM, layout } = sourceOf(g, x);
  const WIDTH = vectorWidth(W);
  const how = { CI, CO, SIDES, TY, WIDTH, NORM, SPARING: block.sparing === true };
  const args = { N, CIN, COUT, ...layout, D, H, W, SPLITS };
  g.emit(blockedDw(WIDTH), { ...from, dy, parts }, how, args);
  return parts;
}
