/** Growing and shrinking of masks by a distance in mm, between the centres of voxels. */
import { type Mask, type Size3, voxelSize } from "../data/volume";
import { connectedComponents } from "../eval/components";
import { distancesToNearest } from "../eval/distance";

/** First and last voxel of a box along x, y, z. */
export interface Box {
  readonly first: Size3;
  readonly last: Size3;
}

/** The box of a mask and so many mm around it; undefined where the mask is empty. */
export function boxAround({ size, affine, data }: Mask, mm: number): Box | undefined {
  const [nx, ny, nz] = size;
  const low: [number, number, number] = [nx, ny, nz];
  const high: [number, number, number] = [-1, -1, -1];
  for (let z = 0, row = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++, row += nx) {
      for (let x = 0; x < nx; x++) {
        if (data[row + x] === 0) continue;
        if (x < low[0]) low[0] = x;
        if (x > high[0]) high[0] = x;
        if (y < low[1]) low[1] = y;
        high[1] = Math.max(high[1], y);
        if (z < low[2]) low[2] = z;
        high[2] = z;
      }
    }
  }
  if (high[2] < 0) return undefined;
  const [rx, ry, rz] = voxelSize(affine).map((edge) => Math.ceil(mm / edge)) as [
    number,
    number,
    number,
  ];
  return {
    first: [Math.max(0, low[0] - rx), Math.max(0, low[1] - ry), Math.max(0, low[2] - rz)],
    last: [
      Math.min(nx - 1, high[0] + rx),
      Math.min(ny - 1, high[1] + ry),
      Math.min(nz - 1, high[2] + rz),
    ],
  };
}

/** The voxels of one value in a box. */
function indicesOf({ size, data }: Mask, value: 0 | 1, { first, last }: Box): Int32Array {
  const found = new Int32Array(data.length);
  let n = 0;
  for (let z = first[2]; z <= last[2]; z++) {
    for (let y = first[1]; y <= last[1]; y++) {
      const row = (z * size[1] + y) * size[0];
      for (let i = row + first[0]; i <= row + last[0]; i++) if (data[i] === value) found[n++] = i;
    }
  }
  return found.subarray(0, n);
}

/** A mask whose voxels of one value give way to the other where it is within so many mm. */
function moved(mask: Mask, mm: number, grows: 0 | 1): Mask {
  const { size, affine, data } = mask;
  const result = data.slice();
  // What is further from the mask changes nothing.
  const box = boxAround(mask, mm);
  if (!box) return { size, affine, data: result };
  const others = indicesOf(mask, grows === 1 ? 0 : 1, box);
  const sources = indicesOf(mask, grows, box);
  const distances = distancesToNearest(others, sources, size, voxelSize(affine));
  for (let k = 0; k < others.length; k++) if (distances[k]! <= mm) result[others[k]!] = grows;
  return { size, affine, data: result };
}

/** The mask and what lies within so many mm of it. */
export const dilated = (mask: Mask, mm: number): Mask => moved(mask, mm, 1);

/** The mask without what lies within so many mm of anything else; the image's faces take nothing. */
export const eroded = (mask: Mask, mm: number): Mask => moved(mask, mm, 0);

/** Sulci and ventricles are closed up to this reach, mm: gaps of up to twice as much. */
const CLOSE_MM = 6;

/** A brain with the fluid in its sulci and ventricles. */
export const withFluid = (brain: Mask): Mask => eroded(dilated(brain, CLOSE_MM), CLOSE_MM);

/** The largest part whose voxels touch by faces. */
export function largestPart({ size, affine, data }: Mask): Mask {
  const { count, voxels } = connectedComponents(data, size);
  let largest: Int32Array = new Int32Array();
  for (let c = 1; c <= count; c++) if (voxels(c).length > largest.length) largest = voxels(c);
  const kept = new Uint8Array(data.length);
  for (const i of largest) kept[i] = 1;
  return { size, affine, data: kept };
}
