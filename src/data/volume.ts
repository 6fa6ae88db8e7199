/** Number of voxels along x, y, z. x is fastest in memory: index = (z · ny + y) · nx + x. */
export type Size3 = readonly [nx: number, ny: number, nz: number];

/** Row-major 4×4 matrix (16 numbers), voxel index (i, j, k, 1) → world position in mm (RAS+). */
export type Affine = readonly number[];

/** A regular voxel grid in world space: NIfTI's convention, world axes right, anterior, superior. */
export interface Grid {
  readonly size: Size3;
  readonly affine: Affine;
}

/** A 3-D scalar image. As a tensor its shape is (D, H, W) = (nz, ny, nx), without any reordering. */
export interface Volume extends Grid {
  readonly data: Float32Array;
}

/** A binary 3-D mask, every value 0 or 1. */
export interface Mask extends Grid {
  readonly data: Uint8Array;
}

/** Edge lengths of one voxel in mm: the norms of the first three columns of the affine. */
export function voxelSize(affine: Affine): [number, number, number] {
  const edge = (c: number) => Math.hypot(affine[c]!, affine[4 + c]!, affine[8 + c]!);
  return [edge(0), edge(1), edge(2)];
}

/** The voxel (x, y, z) at an index in memory. */
export function voxelAt(index: number, [nx, ny]: Size3): [x: number, y: number, z: number] {
  return [index % nx, Math.floor(index / nx) % ny, Math.floor(index / (nx * ny))];
}
