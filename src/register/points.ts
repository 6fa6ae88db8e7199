/** The points of the middle space at which two visits are compared. */
import {
  applyAffine,
  invertAffine,
  multiplyAffine,
  orientedBox,
  type Point3,
} from "../data/affine";
import { resampleMaskTo } from "../data/resample";
import { gaussian, inVoxels } from "../data/smooth";
import { type Grid, type Mask, voxelSize } from "../data/volume";
import { type Head, quantile } from "./head";
import type { Pose } from "./step";

/** Only the inside of both brains is sure to look alike: a Gaussian of so many mm, and the share that counts. */
const INSIDE_MM = 3;
const INSIDE_SHARE = 0.8;

/** Points `spacing` mm apart over both heads, on the world's axes. */
export function pointsOver(heads: readonly Head[], pose: Pose, spacing: number): Grid {
  const places = heads.flatMap(({ points }, i) => {
    const back = invertAffine(i === 0 ? pose.toVisit1 : pose.toVisit2);
    return points.map((p) => applyAffine(back, p));
  });
  const ends = [0, 1, 2].map((axis) => {
    const sorted = Float64Array.from(places, (p) => p[axis]!).sort();
    return [quantile(sorted, 0.01), quantile(sorted, 0.99)] as const;
  });
  const corners = [0, 1].map((end): Point3 => [ends[0]![end]!, ends[1]![end]!, ends[2]![end]!]);
  return orientedBox(corners, [spacing, spacing, spacing]);
}

/** 1 at points of the grid that lie well inside the brains of both visits, else 0. */
export function pointsInside(brains: readonly [Mask, Mask], pose: Pose, grid: Grid): Float32Array {
  const [first, second] = brains.map((brain, i) => {
    const to = i === 0 ? pose.toVisit1 : pose.toVisit2;
    return resampleMaskTo(brain, { size: grid.size, affine: multiplyAffine(to, grid.affine) }).data;
  }) as [Uint8Array, Uint8Array];
  const both = Float32Array.from(first, (v, i) => v & second[i]!);
  const share = gaussian(both, grid.size, inVoxels(INSIDE_MM, voxelSize(grid.affine)));
  return share.map((v) => (v > INSIDE_SHARE ? 1 : 0));
}
