/**
 * 3×3×3 convolution for AMD GPUs: smaller register blocks than those of blocked.ts, with weights that all
 * lanes share (conv3d_uniform.wgsl).
 */
import wgsl from "../../shaders/conv3d/conv3d_uniform.wgsl" with { type: "text" };
import { shape, type Tile, tiledVariants } from "./tiled";

/** All output channels of a workgroup are those of each of its threads. The second is for small volumes. */
const TILES: readonly Tile[] = [
  { voxels: 1024, channels: 8 },
  { voxels: 512, channels: 8 },
];

/** Threads of a workgroup: a vector of four voxels each. */
const threads = ({ voxels }: Tile) => voxels / 4;

/** x with its border, and one more vector for moments. */
function workgroupBytes(tile: Tile, W: number): number {
  const { TX, TY, TZ } = shape(tile, W);
  const vectors = (TY + 2) * (TZ + 2) * (TX / 4 + 1);
  return 16 * (Math.max(vectors, 2 * threads(tile)) + 1);
}

export const uniformVariants = tiledVariants("uniform", wgsl, TILES, { threads, workgroupBytes });
