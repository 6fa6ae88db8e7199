/** The network's grid (docs/guides/data.md), and labels on it. */
import type { Memory } from "../gpu/memory";
import { resampledGrid, sameGrid } from "./affine";
import { resampleOnDevice } from "./resample_device";
import type { Grid, Mask, Size3 } from "./volume";
import { voxelSize } from "./volume";

/** Relative difference of voxel sizes below which a volume keeps its grid. */
const SAME_SPACING = 1e-3;

/** The grid with cubic voxels of `spacing` mm on the axes of `grid`, or `grid` if it has them. */
export function targetGrid({ size, affine }: Grid, spacing: number): Grid {
  const same = voxelSize(affine).every((mm) => Math.abs(mm / spacing - 1) < SAME_SPACING);
  return same ? { size, affine } : resampledGrid({ size, affine }, spacing);
}

/** A mask on another grid of the same axes, by nearest neighbour. */
export async function labelOnGrid(memory: Memory, mask: Mask, grid: Grid): Promise<Uint8Array> {
  if (sameGrid(mask, grid)) return mask.data;
  const values = new Float32Array(mask.data);
  return new Uint8Array(await resampleOnDevice(memory, values, mask, grid, "nearest"));
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
