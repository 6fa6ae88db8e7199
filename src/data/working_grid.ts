/** The network's grid (docs/guides/data.md), and labels on it. */
import type { Memory } from "../gpu/memory";
import { resampledGrid, sameGrid } from "./affine";
import { resampleOnDevice } from "./resample_device";
import type { Affine, Grid, Mask, Size3 } from "./volume";
import { voxelSize } from "./volume";
import { gridInOrder, inOrder, orderTo, type VoxelOrder } from "./voxel_order";

/** Relative difference of voxel sizes below which a volume keeps its grid. */
const SAME_SPACING = 1e-3;

/** The change that brings voxels into the one order that every network sees: right, front, up. */
export const workingOrder = (affine: Affine): VoxelOrder => orderTo(affine, "RAS");

/**
 * The grid that a network sees: cubic voxels of `spacing` mm along the axes of `grid`, in the order
 * RAS however the file stores them.
 */
export function targetGrid({ size, affine }: Grid, spacing: number): Grid {
  const ordered = gridInOrder({ size, affine }, workingOrder(affine));
  const same = voxelSize(affine).every((mm) => Math.abs(mm / spacing - 1) < SAME_SPACING);
  return same ? ordered : resampledGrid(ordered, spacing);
}

/** A mask on the working grid of its image, by nearest neighbour. */
export async function labelOnGrid(memory: Memory, mask: Mask, grid: Grid): Promise<Uint8Array> {
  const ordered = inOrder(mask, workingOrder(mask.affine));
  if (sameGrid(ordered, grid)) return ordered.data;
  const values = new Float32Array(ordered.data);
  return new Uint8Array(await resampleOnDevice(memory, values, ordered, grid, "nearest"));
}

/** Linear indices of the voxels that are set. */
export function lesionVoxels(label: Uint8Array): Uint32Array {
  const found: number[] = [];
  for (let i = 0; i < label.length; i++) if (label[i]) found.push(i);
  return Uint32Array.from(found);
}

export function voxelCount(size: Size3): number {
  return size[0] * size[1] * size[2];
}
