/**
 * 3×3×3 convolution for AMD GPUs: smaller register blocks than those of blocked.ts, with weights that all
 * lanes share (conv3d_uniform.wgsl), in tiles of two sizes, each a variant of its own.
 */
import wgsl from "../../shaders/conv3d/conv3d_uniform.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Capabilities } from "../../src/core/kernel";
import { ceilDiv, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { sourceOf } from "../norm/normalised";
import { byRowVectorWidth, vectorWidth } from "../vector_width";
import { shape, type Tile, tilesOf } from "./blocked";
import type { ConvTensors, ConvVariant, Geometry } from "./contract";
import { packWeights } from "./pack";

/** Output channels of a workgroup, all of them of each of its threads. */
const CHANNELS = 8;
/** The second is for small volumes. */
const TILES: readonly Tile[] = [
  { voxels: 1024, channels: CHANNELS },
  { voxels: 512, channels: CHANNELS },
];

/** Threads of a workgroup: a vector of four voxels each. */
const threads = ({ voxels }: Tile) => voxels / 4;

/** As the shader counts them: x with its border, and one more vector for moments. */
function workgroupBytes(tile: Tile, W: number): number {
  const { TX, TY, TZ } = shape(tile, W);
  const vectors = (TY + 2) * (TZ + 2) * (TX / 4 + 1);
  return 16 * (Math.max(vectors, 2 * threads(tile)) + 1);
}

function supported(tile: Tile, { maxInvocations, maxWorkgroupBytes }: Capabilities): boolean {
  const bytes = Math.max(...[8, 16, 32].map((W) => workgroupBytes(tile, W)));
  return threads(tile) <= maxInvocations && bytes <= maxWorkgroupBytes;
}

const kernel = byRowVectorWidth(
  defineKernel({
    name: "conv3d_uniform",
    source: wgsl,
    bindings: {
      ...{ x: "read", wp: "read", stats: "read", weight: "read", bias: "read" },
      ...{ y: "read_write", parts: "read_write" },
    },
    args: ["N", "CIN", "COUT", "CT", "C0", "CG", "D", "H", "W"],
    views: ["x"],
    storage: { V: ["x", "y"] },
    grid(c) {
      const along = (size: string, edge: string) => ceilDiv(num(c, size), num(c, edge));
      const tiles = along("W", "TX") * along("H", "TY") * along("D", "TZ");
      return grid1d(num(c, "N") * tiles * ceilDiv(num(c, "COUT"), CHANNELS), 1);
    },
    flops: (c) => 2 * 27 * product(c, "N", "CIN", "COUT", "D", "H", "W"),
  }),
);

function emit(g: Graph, t: ConvTensors, geometry: Geometry, tile: Tile): void {
  const { N, CIN, COUT, D, H, W } = geometry;
  const wp = packWeights(g, t, geometry, CHANNELS);
  const { from, NORM, layout } = sourceOf(g, t.x);
  const parts = t.moments ?? g.tensor("unused", [4]);
  const WIDTH = vectorWidth(W);
  const { TX, TY, TZ } = shape(tile, W);
  const how = { TX, TY, TZ, WIDTH, NORM, STATS: Boolean(t.moments) };
  const args = { N, CIN, COUT, ...layout, D, H, W };
  g.emit(kernel(WIDTH), { ...from, wp, y: t.y, parts }, how, args);
}

export const uniformVariants: readonly ConvVariant[] = TILES.map((tile) => ({
  name: `uniform_${tile.voxels}x${tile.channels}`,
  supported: (caps) => supported(tile, caps),
  fits: ({ K }) => K === 3,
  fuses: true,
  f16: true,
  momentParts: (geometry) => tilesOf(tile, geometry),
  emit: (g, t, geometry) => emit(g, t, geometry, tile),
}));
