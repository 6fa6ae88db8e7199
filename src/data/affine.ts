import { type Affine, type Grid, type Size3, voxelSize } from "./volume";

/** Corners of two equal grids may lie this far apart (mm): a tenth of the paper's 0.5 mm voxel. */
export const GRID_TOLERANCE_MM = 0.05;

export const IDENTITY: Affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

export type Point3 = readonly [x: number, y: number, z: number];

/** Product a · b of two row-major 4×4 matrices: b is applied first. */
export function multiplyAffine(a: Affine, b: Affine): Affine {
  return Array.from({ length: 16 }, (_, index) => {
    const row = index - (index % 4);
    let sum = 0;
    for (let k = 0; k < 4; k++) sum += a[row + k]! * b[4 * k + (index % 4)]!;
    return sum;
  });
}

/** Determinant of the upper left 3×3 part: the voxel's volume in mm³, negative when mirrored. */
export function determinant(m: Affine): number {
  return (
    m[0]! * (m[5]! * m[10]! - m[6]! * m[9]!) -
    m[1]! * (m[4]! * m[10]! - m[6]! * m[8]!) +
    m[2]! * (m[4]! * m[9]! - m[5]! * m[8]!)
  );
}

/** Volume of a voxel in mm³. */
export const voxelVolume = (affine: Affine): number => Math.abs(determinant(affine));

/** Whether an affine has an inverse: finite numbers, no two axes (nearly) in one plane. */
export function isInvertible(m: Affine): boolean {
  const [x, y, z] = voxelSize(m);
  return m.every(Number.isFinite) && Math.abs(determinant(m)) > 1e-6 * x * y * z;
}

/** Inverse of an affine whose last row is 0 0 0 1. Throws RangeError when it has none. */
export function invertAffine(m: Affine): Affine {
  if (!isInvertible(m)) throw new RangeError(`invertAffine: singular matrix [${m.join(", ")}]`);
  const d = determinant(m);
  const cofactor = (r0: number, c0: number, r1: number, c1: number) =>
    (m[4 * r0 + c0]! * m[4 * r1 + c1]! - m[4 * r0 + c1]! * m[4 * r1 + c0]!) / d;
  const linear = [
    [cofactor(1, 1, 2, 2), cofactor(0, 2, 2, 1), cofactor(0, 1, 1, 2)],
    [cofactor(1, 2, 2, 0), cofactor(0, 0, 2, 2), cofactor(0, 2, 1, 0)],
    [cofactor(1, 0, 2, 1), cofactor(0, 1, 2, 0), cofactor(0, 0, 1, 1)],
  ] as const;
  const rows = linear.map(([a, b, c]) => [a, b, c, -(a * m[3]! + b * m[7]! + c * m[11]!)]);
  return [...rows.flat(), 0, 0, 0, 1];
}

/** Image of a point under an affine, e.g. of a voxel index (i, j, k) in world space (mm). */
export function applyAffine(m: Affine, [x, y, z]: Point3): [number, number, number] {
  const row = (r: number) => m[r]! * x + m[r + 1]! * y + m[r + 2]! * z + m[r + 3]!;
  return [row(0), row(4), row(8)];
}

export function isIdentity(m: Affine): boolean {
  return m.every((value, index) => value === IDENTITY[index]);
}

/** The matrix that maps a voxel index of `to` to the (fractional) voxel index of `from`. */
export function voxelToVoxel(from: Grid, to: Grid): Affine {
  return multiplyAffine(invertAffine(from.affine), to.affine);
}

/** Same size, and the centres of the eight corner voxels no further apart than the tolerance. */
export function sameGrid(a: Grid, b: Grid, toleranceMm = GRID_TOLERANCE_MM): boolean {
  if (a.size.some((n, axis) => n !== b.size[axis])) return false;
  return gridDistance(a, b) <= toleranceMm;
}

/** Largest distance (mm) between corresponding corner voxels of two grids of one size. */
export function gridDistance(a: Grid, b: Grid): number {
  let largest = 0;
  for (let corner = 0; corner < 8; corner++) {
    const at = a.size.map((n, axis) => (corner & (1 << axis) ? n - 1 : 0));
    const index: Point3 = [at[0]!, at[1]!, at[2]!];
    const [p, q] = [applyAffine(a.affine, index), applyAffine(b.affine, index)];
    largest = Math.max(largest, Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
  }
  return largest;
}

/** The orders in which an image may store the axes of the world. */
export const AXIS_ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

/**
 * Where the voxel axes x, y, z point: "RAS" when towards right, anterior, superior. An oblique axis
 * gets the letter of the nearest anatomical one, each of the three pairs used once (the largest sum
 * of cosines, as nifti_mat44_to_orientation has it).
 */
export function orientationCode(affine: Affine): string {
  const edge = voxelSize(affine);
  const cosine = (axis: number, world: number) => affine[4 * world + axis]! / edge[axis]!;
  const score = (order: readonly number[]) =>
    order.reduce((sum, world, axis) => sum + Math.abs(cosine(axis, world)), 0);
  const best = AXIS_ORDERS.reduce((a, b) => (score(b) > score(a) ? b : a));
  return best.map((world, axis) => (cosine(axis, world) < 0 ? "LPI" : "RAS")[world]).join("");
}

/** A grid in words, e.g. "325×334×53 voxels of 0.719×0.719×3 mm, LPS". */
export function describeGrid({ size, affine }: Grid): string {
  const edges = voxelSize(affine).map((mm) => Number(mm.toPrecision(3)));
  return `${size.join("×")} voxels of ${edges.join("×")} mm, ${orientationCode(affine)}`;
}

/**
 * An isotropic grid along the axes of another: voxels of exactly `spacingMm`, and the same centre. The field of view (outer face to outer face, n · edge) keeps
 * its extent, rounded up to whole new voxels, half of the excess on either side. Per axis
 * n' = ceil(n · edge / s − 0.001), and new voxel i' lies at the old index
 * i = (i' + ½ − n'/2) · s / edge + n/2 − ½. At 1 mm → 0.5 mm, voxel i covers 2i and 2i + 1.
 */
export function resampledGrid(grid: Grid, spacingMm: number): Grid {
  if (!(spacingMm > 0))
    throw new RangeError(`resampledGrid: spacing must be > 0, got ${spacingMm}`);
  const edges = voxelSize(grid.affine);
  const size: number[] = [];
  const newToOld = [...IDENTITY];
  edges.forEach((edge, axis) => {
    const n = grid.size[axis]!;
    // The thousandth of a voxel absorbs headers that hold 0.99999994 mm for 1 mm.
    size[axis] = Math.max(1, Math.ceil((n * edge) / spacingMm - 1e-3));
    newToOld[5 * axis] = spacingMm / edge;
    newToOld[4 * axis + 3] = ((1 - size[axis]) / 2) * (spacingMm / edge) + (n - 1) / 2;
  });
  const newSize: Size3 = [size[0]!, size[1]!, size[2]!];
  return { size: newSize, affine: multiplyAffine(grid.affine, newToOld) };
}

/** The eight corners of a grid's outer faces, mm. */
export function outerCorners({ size, affine }: Grid): Point3[] {
  return Array.from({ length: 8 }, (_, corner) => {
    const at = size.map((n, axis) => (corner & (1 << axis) ? n - 0.5 : -0.5));
    return applyAffine(affine, [at[0]!, at[1]!, at[2]!]);
  });
}

/** The grid along the world's axes (RAS) that holds all points, in voxels of the given edges (mm). */
export function orientedBox(points: readonly Point3[], edges: Point3): Grid {
  const low = [0, 1, 2].map((axis) => Math.min(...points.map((p) => p[axis]!)));
  const high = [0, 1, 2].map((axis) => Math.max(...points.map((p) => p[axis]!)));
  const size = low.map((v, k) => Math.max(1, Math.ceil((high[k]! - v) / edges[k]! - 1e-3)));
  // Half of the voxels' excess lies on either side.
  const first = low.map((v, k) => (v + high[k]! - (size[k]! - 1) * edges[k]!) / 2);
  const rows = first.flatMap((v, row) =>
    [0, 1, 2].map((c) => (c === row ? edges[row]! : 0)).concat(v),
  );
  return { size: [size[0]!, size[1]!, size[2]!], affine: [...rows, 0, 0, 0, 1] };
}
