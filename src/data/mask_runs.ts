/** A mask in little room: the lengths of its runs. */
import type { Grid, Mask } from "./volume";

export interface MaskRuns extends Grid {
  /** Numbers of voxels in a row that are 0, 1, 0, 1 …, from the first voxel on. */
  readonly runs: readonly number[];
}

export function runsOf({ size, affine, data }: Mask): MaskRuns {
  const runs: number[] = [];
  let from = 0;
  for (let i = 1; i <= data.length; i++) {
    if (i < data.length && data[i] === data[from]) continue;
    if (runs.length === 0 && data[from] === 1) runs.push(0);
    runs.push(i - from);
    from = i;
  }
  return { size, affine, runs };
}

export function maskOfRuns({ size, affine, runs }: MaskRuns): Mask {
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  let at = 0;
  for (const [k, length] of runs.entries()) {
    if (k % 2 === 1) data.fill(1, at, at + length);
    at += length;
  }
  return { size, affine, data };
}
