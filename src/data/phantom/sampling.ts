import type { Affine, Size3 } from "../volume";
import type { Point } from "./fields";

/** A grid of cubic voxels around the centre of the field of view. */
export interface Sampling {
  readonly size: Size3;
  /** Edge of the voxels, mm. */
  readonly spacing: number;
}

/** Position of voxel (i, j, k) in mm. */
export function voxelCentre({ size, spacing }: Sampling, i: number, j: number, k: number): Point {
  return [
    (i - (size[0] - 1) / 2) * spacing,
    (j - (size[1] - 1) / 2) * spacing,
    (k - (size[2] - 1) / 2) * spacing,
  ];
}

/** Calls `visit` with index and position (mm) of each voxel whose centre lies in a box. */
export function eachVoxel(
  sampling: Sampling,
  low: Point,
  high: Point,
  visit: (o: number, x: number, y: number, z: number) => void,
) {
  const { size, spacing } = sampling;
  const range = size.map((n, a) => {
    const middle = (n - 1) / 2;
    const first = Math.max(0, Math.ceil(low[a]! / spacing + middle));
    return [first, Math.min(n - 1, Math.floor(high[a]! / spacing + middle))] as const;
  });
  const [[i0, i1], [j0, j1], [k0, k1]] = range as [
    [number, number],
    [number, number],
    [number, number],
  ];
  for (let k = k0; k <= k1; k++)
    for (let j = j0; j <= j1; j++)
      for (let i = i0; i <= i1; i++)
        visit((k * size[1] + j) * size[0] + i, ...voxelCentre(sampling, i, j, k));
}

/** World axes along the voxel axes, the world's origin in the centre of the grid. */
export function centredAffine(sampling: Sampling): Affine {
  const [x, y, z] = voxelCentre(sampling, 0, 0, 0);
  const s = sampling.spacing;
  return [s, 0, 0, x, 0, s, 0, y, 0, 0, s, z, 0, 0, 0, 1];
}
