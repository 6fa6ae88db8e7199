import { expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import type { Mask, Size3 } from "../src/data/volume";
import { distancesToNearest } from "../src/eval/distance";
import { surfaceScores } from "../src/eval/surface";

type Spacing = readonly [number, number, number];

const position = (voxel: number, [nx, ny]: Size3, edge: Spacing) => {
  const row = Math.floor(voxel / nx);
  return [(voxel % nx) * edge[0], (row % ny) * edge[1], Math.floor(row / ny) * edge[2]] as const;
};

function nearest(voxel: number, among: Iterable<number>, size: Size3, edge: Spacing): number {
  const p = position(voxel, size, edge);
  let least = Number.POSITIVE_INFINITY;
  for (const other of among) {
    const q = position(other, size, edge);
    least = Math.min(least, Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
  }
  return least;
}

test("distances are those of the plain method, at all densities and voxel shapes", () => {
  const random = new Philox(11);
  const cases: [Size3, Spacing, number][] = [
    [[13, 11, 7], [0.72, 0.72, 3], 0.004],
    [[13, 11, 7], [1, 1, 1], 0.05],
    [[9, 17, 5], [3, 0.5, 0.9], 0.4],
    [[1, 1, 31], [1, 1, 0.7], 0.1],
    [[29, 1, 1], [0.3, 1, 1], 0.1],
    [[6, 6, 6], [2, 1, 0.1], 1],
  ];
  for (const [size, edge, density] of cases) {
    const all = Int32Array.from({ length: size[0] * size[1] * size[2] }, (_, i) => i);
    const some = all.filter(() => random.uniform() < density);
    const sources = some.length > 0 ? some : all.subarray(5, 6);
    for (const queries of [all, all.filter(() => random.uniform() < 0.1)]) {
      const distances = distancesToNearest(queries, sources, size, edge);
      queries.forEach((voxel, i) => {
        const expected = nearest(voxel, sources, size, edge);
        expect(Math.abs(distances[i]! - expected), `${size} ${voxel}`).toBeLessThan(1e-12);
      });
    }
  }
  const none = distancesToNearest(Int32Array.of(3), Int32Array.of(), [2, 2, 2], [1, 1, 1]);
  expect([...none]).toEqual([Number.POSITIVE_INFINITY]);
});

/** A mask of voxels of 1×2×3 mm, from boxes [x, y, z, nx, ny, nz]. */
function boxes(size: Size3, ...list: [number, number, number, number, number, number][]): Mask {
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  for (const [x, y, z, nx, ny, nz] of list) {
    for (let k = z; k < z + nz; k++)
      for (let j = y; j < y + ny; j++) {
        const row = (k * size[1] + j) * size[0] + x;
        data.fill(1, row, row + nx);
      }
  }
  return { size, data, affine: [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1] };
}

const SIZE: Size3 = [12, 9, 8];

test("surface distances of two voxels are the distance of their centres in mm", () => {
  const a = boxes(SIZE, [1, 1, 1, 1, 1, 1]);
  const b = boxes(SIZE, [5, 3, 2, 1, 1, 1]);
  const d = Math.hypot(4, 4, 3);
  expect(surfaceScores(a, b)).toEqual({ hausdorffMm: d, contourMeanMm: d, surfaceMm: d });
});

test("a voxel in the middle of a box: the box's contour against it", () => {
  const box = boxes(SIZE, [2, 2, 2, 3, 3, 3]);
  const centre = boxes(SIZE, [3, 3, 3, 1, 1, 1]);
  // The 26 voxels around it; the centre is 1 mm from the box's contour, though inside the box.
  let sum = 0;
  for (const x of [-1, 0, 1])
    for (const y of [-2, 0, 2]) for (const z of [-3, 0, 3]) sum += Math.hypot(x, y, z);
  const { hausdorffMm, contourMeanMm, surfaceMm } = surfaceScores(box, centre);
  expect(hausdorffMm).toBeCloseTo(Math.hypot(1, 2, 3), 12);
  expect(contourMeanMm).toBeCloseTo(sum / 26, 12);
  expect(surfaceMm).toBeCloseTo((sum + 1) / 27, 12);
  expect(surfaceScores(centre, box).surfaceMm).toBeCloseTo((sum + 1) / 27, 12);
});

test("--anima-compat: the minimum runs on along the contour in memory order", () => {
  // Reference voxels 3, 1 and 2 mm from the prediction in memory order: 3 + 1 + 1, and back 1.
  const reference = boxes(SIZE, [1, 1, 1, 1, 1, 1], [5, 1, 1, 1, 1, 1], [6, 1, 1, 1, 1, 1]);
  const prediction = boxes(SIZE, [4, 1, 1, 1, 1, 1]);
  expect(surfaceScores(reference, prediction).surfaceMm).toBe((3 + 1 + 2 + 1) / 4);
  const compat = surfaceScores(reference, prediction, { animaCompat: true });
  expect(compat).toEqual({ hausdorffMm: 3, contourMeanMm: 2, surfaceMm: (3 + 1 + 1 + 1) / 4 });
});

test("beyond the image there is no background; a mask without contour has no distances", () => {
  const full = boxes(SIZE, [0, 0, 0, 12, 9, 8]);
  expect(surfaceScores(full, boxes(SIZE, [0, 0, 0, 1, 1, 1])).surfaceMm).toBeNull();
  // Half the image: its contour is the one plane inside.
  const half = boxes(SIZE, [0, 0, 0, 6, 9, 8]);
  const more = boxes(SIZE, [0, 0, 0, 8, 9, 8]);
  expect(surfaceScores(half, more)).toEqual({ hausdorffMm: 2, contourMeanMm: 2, surfaceMm: 2 });
  expect(surfaceScores(half, half)).toEqual({ hausdorffMm: 0, contourMeanMm: 0, surfaceMm: 0 });
});
