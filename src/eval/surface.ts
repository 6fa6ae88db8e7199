import type { Mask, Size3 } from "../data/volume";
import { voxelSize } from "../data/volume";
import { distancesToNearest } from "./distance";

/** Distances between the surfaces of two masks in mm; null where one of them has no surface. */
export interface SurfaceScores {
  /** Largest distance of a voxel of one mask to the other mask. */
  readonly hausdorffMm: number | null;
  /** The larger of the two mean distances from one contour to the other (as ITK defines it). */
  readonly contourMeanMm: number | null;
  /** Average symmetric surface distance: mean over all voxels of both contours. */
  readonly surfaceMm: number | null;
}

/** Voxels of a mask in memory order, and those of them that have a face on the background. */
interface Surface {
  readonly voxels: Int32Array;
  readonly contour: Int32Array;
}

/**
 * Distances between two masks of one grid, voxel centre to voxel centre. A contour voxel is a mask
 * voxel with a background voxel on one of its six faces; beyond the image there is none.
 *
 * @param animaCompat the average surface distance as the challenge's tool reports it: its minimum
 *   runs on from one contour voxel to the next instead of starting anew, so that each distance is the
 *   smallest of all contour voxels up to there in memory order
 */
export function surfaceScores(
  reference: Mask,
  prediction: Mask,
  { animaCompat = false } = {},
): SurfaceScores {
  const [a, b] = [surface(reference), surface(prediction)];
  const spacing = voxelSize(reference.affine);
  if (a.contour.length === 0 || b.contour.length === 0) {
    return { hausdorffMm: null, contourMeanMm: null, surfaceMm: null };
  }
  const directed = [
    between(a, b, reference.size, spacing, prediction.data),
    between(b, a, reference.size, spacing, reference.data),
  ];
  const means = directed.map(({ contour }) => contour.reduce((x, y) => x + y, 0) / contour.length);
  let sum = 0;
  for (const { contour } of directed) {
    let least = Number.POSITIVE_INFINITY;
    for (const distance of contour) {
      least = Math.min(least, distance);
      sum += animaCompat ? least : distance;
    }
  }
  return {
    hausdorffMm: Math.max(...directed.map(({ farthest }) => farthest)),
    contourMeanMm: Math.max(...means),
    surfaceMm: sum / (a.contour.length + b.contour.length),
  };
}

/**
 * Distances from one mask to another. The nearest voxel of a mask to a voxel outside it always lies
 * on the contour, so that one transform serves both the contours and the Hausdorff distance.
 */
function between(
  from: Surface,
  to: Surface,
  size: Size3,
  spacing: [number, number, number],
  inside: Uint8Array,
): { farthest: number; contour: Float64Array } {
  const outside = from.voxels.filter((voxel) => inside[voxel] === 0);
  const queries = new Int32Array(from.contour.length + outside.length);
  queries.set(from.contour);
  queries.set(outside, from.contour.length);
  const distances = distancesToNearest(queries, to.contour, size, spacing);
  const farthest = distances.subarray(from.contour.length).reduce((x, y) => Math.max(x, y), 0);
  return { farthest, contour: distances.subarray(0, from.contour.length) };
}

function surface({ data, size }: Mask): Surface {
  const [nx, ny, nz] = size;
  const voxels: number[] = [];
  const contour: number[] = [];
  for (let i = data.indexOf(1); i >= 0 && i < data.length; i++) {
    if (data[i] === 0) continue;
    voxels.push(i);
    const x = i % nx;
    const row = (i - x) / nx;
    const y = row % ny;
    const z = (row - y) / ny;
    if (
      (x > 0 && data[i - 1] === 0) ||
      (x < nx - 1 && data[i + 1] === 0) ||
      (y > 0 && data[i - nx] === 0) ||
      (y < ny - 1 && data[i + nx] === 0) ||
      (z > 0 && data[i - nx * ny] === 0) ||
      (z < nz - 1 && data[i + nx * ny] === 0)
    ) {
      contour.push(i);
    }
  }
  return { voxels: Int32Array.from(voxels), contour: Int32Array.from(contour) };
}
