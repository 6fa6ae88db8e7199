import { applyAffine, voxelToVoxel } from "./affine";
import type { Affine, Grid, Mask, Volume } from "./volume";

/** Positions this far (voxels) beyond the outer face still count as inside: rounding of headers. */
const FACE_TOLERANCE = 1e-3;

/** The count of voxels of the new grid outside the source's field of view; they are 0. */
export interface Resampled {
  readonly outside: number;
}

/**
 * Trilinear resampling of an image to another grid through world space, on the CPU: for the rare
 * pair that does not share a grid, and as the reference of the kernel. Between the outermost voxel
 * centres and the outer face of the image the edge value holds; beyond the face the result is 0.
 */
export function resampleTo(volume: Volume, grid: Grid): Volume & Resampled {
  const { size, data } = volume;
  const [nx, ny, nz] = size;
  const out = new Float32Array(grid.size[0] * grid.size[1] * grid.size[2]);
  const outside = forEachSource(volume, grid, (index, x, y, z) => {
    // One by one, not as arrays: this runs for every voxel.
    const cx = clamp(x, nx);
    const cy = clamp(y, ny);
    const cz = clamp(z, nz);
    const x0 = Math.floor(cx);
    const y0 = Math.floor(cy);
    const z0 = Math.floor(cz);
    const fx = cx - x0;
    const fy = cy - y0;
    const dx = x0 + 1 < nx ? 1 : 0;
    const dy = y0 + 1 < ny ? nx : 0;
    const dz = z0 + 1 < nz ? nx * ny : 0;
    const at = (z0 * ny + y0) * nx + x0;
    const row = (i: number) => data[i]! + fx * (data[i + dx]! - data[i]!);
    const first = row(at);
    const third = row(at + dz);
    const near = first + fy * (row(at + dy) - first);
    const far = third + fy * (row(at + dz + dy) - third);
    out[index] = near + (cz - z0) * (far - near);
  });
  return { size: grid.size, affine: grid.affine, data: out, outside };
}

/** Nearest-neighbour resampling of a mask to another grid through world space; 0 outside. */
export function resampleMaskTo(mask: Mask, grid: Grid): Mask & Resampled {
  const [nx, ny, nz] = mask.size;
  const out = new Uint8Array(grid.size[0] * grid.size[1] * grid.size[2]);
  const outside = forEachSource(mask, grid, (index, x, y, z) => {
    const [i, j, k] = [
      clamp(Math.round(x), nx),
      clamp(Math.round(y), ny),
      clamp(Math.round(z), nz),
    ];
    out[index] = mask.data[(k * ny + j) * nx + i]!;
  });
  return { size: grid.size, affine: grid.affine, data: out, outside };
}

const clamp = (position: number, n: number) => Math.min(Math.max(position, 0), n - 1);

/** Calls `visit` with each voxel of `to` inside `from`, and where in `from` it lies; counts the rest. */
function forEachSource(
  from: Grid,
  to: Grid,
  visit: (index: number, x: number, y: number, z: number) => void,
): number {
  const matrix: Affine = voxelToVoxel(from, to);
  const [stepX, stepY, stepZ] = [matrix[0]!, matrix[4]!, matrix[8]!];
  const [maxX, maxY, maxZ] = from.size.map((n) => n - 0.5 + FACE_TOLERANCE) as [
    number,
    number,
    number,
  ];
  const min = -0.5 - FACE_TOLERANCE;
  const [nx, ny, nz] = to.size;
  let outside = 0;
  for (let row = 0; row < ny * nz; row++) {
    const [x0, y0, z0] = applyAffine(matrix, [0, row % ny, Math.floor(row / ny)]);
    for (let i = 0; i < nx; i++) {
      const x = x0 + i * stepX;
      const y = y0 + i * stepY;
      const z = z0 + i * stepZ;
      if (x < min || y < min || z < min || x > maxX || y > maxY || z > maxZ) outside++;
      else visit(row * nx + i, x, y, z);
    }
  }
  return outside;
}
