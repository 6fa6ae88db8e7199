/** Growing and shrinking of masks by a distance in mm, between the centres of voxels. */
import { type Mask, voxelSize } from "../data/volume";
import { connectedComponents } from "../eval/components";
import { distancesToNearest } from "../eval/distance";

function indicesOf(data: Uint8Array, value: 0 | 1): Int32Array {
  const found = new Int32Array(data.length);
  let n = 0;
  for (let i = 0; i < data.length; i++) if (data[i] === value) found[n++] = i;
  return found.slice(0, n);
}

/** A mask whose voxels of one value give way to the other where it is within so many mm. */
function moved({ size, affine, data }: Mask, mm: number, grows: 0 | 1): Mask {
  const others = indicesOf(data, grows === 1 ? 0 : 1);
  const distances = distancesToNearest(others, indicesOf(data, grows), size, voxelSize(affine));
  const result = data.slice();
  others.forEach((i, k) => {
    if (distances[k]! <= mm) result[i] = grows;
  });
  return { size, affine, data: result };
}

/** The mask and what lies within so many mm of it. */
export const dilated = (mask: Mask, mm: number): Mask => moved(mask, mm, 1);

/** The mask without what lies within so many mm of anything else; the image's faces take nothing. */
export const eroded = (mask: Mask, mm: number): Mask => moved(mask, mm, 0);

/** The largest part whose voxels touch by faces. */
export function largestPart({ size, affine, data }: Mask): Mask {
  const { count, voxels } = connectedComponents(data, size);
  let largest: Int32Array = new Int32Array();
  for (let c = 1; c <= count; c++) if (voxels(c).length > largest.length) largest = voxels(c);
  const kept = new Uint8Array(data.length);
  for (const i of largest) kept[i] = 1;
  return { size, affine, data: kept };
}
