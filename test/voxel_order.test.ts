/** Voxels in another order: nothing is computed, and every voxel keeps its place in space. */
import { expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import { applyAffine, orientationCode, sameGrid } from "../src/data/affine";
import type { Affine, Volume } from "../src/data/volume";
import { gridInOrder, inOrder, inverseOrder, orderTo } from "../src/data/voxel_order";
import { targetGrid, workingOrder } from "../src/data/working_grid";

const random = new Philox(31);
const size = [4, 3, 5] as const;
const data = Float32Array.from({ length: 60 }, () => random.normal());
// Some degrees off the axes, with three different edges.
const affine: Affine = [0.7, 0.1, -0.3, -9, -0.06, 0.9, 0.2, 4, 0.07, -0.1, 2.9, -20, 0, 0, 0, 1];
const image: Volume = { size, affine, data };

const AXES = ["RL", "AP", "SI"];
/** All 48 orders and directions. */
const CODES = AXES.flatMap((a) =>
  AXES.flatMap((b) =>
    AXES.filter((c) => new Set([a, b, c]).size === 3).flatMap((c) =>
      [...a].flatMap((x) => [...b].flatMap((y) => [...c].map((z) => x + y + z))),
    ),
  ),
);

/** Value by place in space, rounded to a hundredth of a mm. */
function byPlace({ size: [nx, ny], affine: m, data: values }: Volume): Map<string, number> {
  const at = (i: number) =>
    applyAffine(m, [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))]);
  const key = (i: number) =>
    at(i)
      .map((mm) => (mm + 1000).toFixed(2))
      .join();
  return new Map([...values].map((value, i) => [key(i), value]));
}

test("48 orders: the code is as asked, every voxel keeps its place, and there is a way back", () => {
  expect(CODES.length).toBe(48);
  expect(orientationCode(affine)).toBe("RAS");
  const places = byPlace(image);
  for (const code of CODES) {
    const order = orderTo(affine, code);
    const moved = inOrder(image, order);
    expect(orientationCode(moved.affine), code).toBe(code);
    expect(gridInOrder({ size, affine }, order), code).toEqual({
      size: moved.size,
      affine: moved.affine,
    });
    const found = byPlace(moved);
    expect(found.size, code).toBe(60);
    for (const [place, value] of places) expect(found.get(place), `${code} ${place}`).toBe(value);
    const back = inOrder(moved, inverseOrder(order));
    expect(back.data, code).toEqual(data);
    expect(sameGrid(back, image, 1e-9), code).toBe(true);
  }
});

test("an image in the order that is asked for is the same object", () => {
  expect(inOrder(image, orderTo(affine, "RAS"))).toBe(image);
});

test("the working grid is RAS and the same place in space, however the file stores its voxels", () => {
  for (const spacing of [0.5, 1.3]) {
    const expected = targetGrid(image, spacing);
    expect(orientationCode(expected.affine)).toBe("RAS");
    for (const code of CODES) {
      const moved = inOrder(image, orderTo(affine, code));
      const grid = targetGrid(moved, spacing);
      expect(grid.size, code).toEqual(expected.size);
      expect(sameGrid(grid, expected, 1e-9), code).toBe(true);
      expect(inOrder(moved, workingOrder(moved.affine)).data, code).toEqual(data);
    }
  }
});
