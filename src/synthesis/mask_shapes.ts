/** Lesions of other patients as shapes, by their masks alone. */
import { gaussian, inVoxels } from "../data/smooth";
import { type Mask, type Size3, voxelAt, voxelSize } from "../data/volume";
import { connectedComponents } from "../eval/components";

export interface LesionShape {
  /** Patient that it comes from. */
  readonly patient: string;
  /** A box of voxels around it, each 1 mm³. */
  readonly size: Size3;
  /** The mask under a Gaussian of SOFT_MM; a point belongs to the lesion from `border` on. */
  readonly soft: Float32Array;
  readonly border: number;
  /** mm³. */
  readonly volume: number;
}

export const SOFT_MM = 0.7;
/** Volumes that are taken, mm³. */
const VOLUME: readonly [number, number] = [10, 5000];
const MARGIN = 3;

/** The lesions of a mask on voxels of 1 mm. @throws RangeError for other voxels */
export function lesionShapes(patient: string, lesions: Mask): LesionShape[] {
  const edges = voxelSize(lesions.affine);
  if (edges.some((mm) => Math.abs(mm - 1) > 0.01)) {
    throw new RangeError(`${patient}: lesion shapes need voxels of 1 mm, got ${edges.join("×")}`);
  }
  const { count, voxels } = connectedComponents(lesions.data, lesions.size, 18);
  return Array.from({ length: count }, (_, c) => voxels(c + 1))
    .filter(({ length }) => length >= VOLUME[0] && length <= VOLUME[1])
    .map((inside) => oneShape(patient, lesions.size, inside));
}

function oneShape(patient: string, all: Size3, inside: Int32Array): LesionShape {
  const low = [1e9, 1e9, 1e9] as [number, number, number];
  const high = [0, 0, 0] as [number, number, number];
  for (const i of inside) {
    for (const [axis, v] of voxelAt(i, all).entries()) {
      low[axis as 0] = Math.min(low[axis as 0], v);
      high[axis as 0] = Math.max(high[axis as 0], v);
    }
  }
  const size = low.map((v, axis) => high[axis]! - v + 1 + 2 * MARGIN) as [number, number, number];
  const hard = new Float32Array(size[0] * size[1] * size[2]);
  for (const i of inside) {
    const [x, y, z] = voxelAt(i, all).map((v, axis) => v - low[axis]! + MARGIN) as [
      number,
      number,
      number,
    ];
    hard[(z * size[1] + y) * size[0] + x] = 1;
  }
  const soft = gaussian(hard, size, inVoxels(SOFT_MM, [1, 1, 1]));
  const border = soft.toSorted().at(-inside.length) ?? 0.5;
  return { patient, size, soft, border, volume: inside.length };
}

/** Outside of the box: 0. */
export function trilinear(
  values: Float32Array,
  [nx, ny, nz]: Size3,
  [x, y, z]: readonly [number, number, number],
): number {
  const [i, j, k] = [Math.floor(x), Math.floor(y), Math.floor(z)];
  const [fx, fy, fz] = [x - i, y - j, z - k];
  let sum = 0;
  for (let corner = 0; corner < 8; corner++) {
    const [a, b, c] = [i + (corner & 1), j + ((corner >> 1) & 1), k + (corner >> 2)];
    if (a < 0 || b < 0 || c < 0 || a >= nx || b >= ny || c >= nz) continue;
    const w = (corner & 1 ? fx : 1 - fx) * (corner & 2 ? fy : 1 - fy) * (corner & 4 ? fz : 1 - fz);
    sum += w * values[(c * ny + b) * nx + a]!;
  }
  return sum;
}
