import { expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import { applyAffine } from "../src/data/affine";
import { resampleTo } from "../src/data/resample";
import { resampleCubicTo } from "../src/data/resample_cubic";
import type { Affine, Grid, Size3, Volume } from "../src/data/volume";

const AFFINE: Affine = [-0.8, 0.1, 0, 9, 0.1, 0.9, 0, -7, 0, 0, 1.5, 2, 0, 0, 0, 1];

function sampled(grid: Grid, value: (x: number, y: number, z: number) => number): Volume {
  const [nx, ny, nz] = grid.size;
  const data = Float32Array.from({ length: nx * ny * nz }, (_, i) =>
    value(...applyAffine(grid.affine, [i % nx, Math.floor(i / nx) % ny, Math.floor(i / nx / ny)])),
  );
  return { ...grid, data };
}

test("cubic resampling runs through the voxels, at odd sizes and single planes", () => {
  const random = new Philox(4);
  const sizes: Size3[] = [
    [7, 5, 3],
    [2, 9, 1],
    [1, 1, 4],
    [11, 2, 2],
  ];
  for (const size of sizes) {
    const volume = sampled({ size, affine: AFFINE }, () => random.uniform(-100, 100));
    const { data, outside } = resampleCubicTo(volume, volume);
    expect(outside).toBe(0);
    data.forEach((value, i) => {
      expect(Math.abs(value - volume.data[i]!), `${size} ${i}`).toBeLessThan(1e-4);
    });
  }
});

test("between voxels it is scipy's spline of order 3", () => {
  // scipy.ndimage.map_coordinates([1, 4, 2, 0, 7], [[0, 0.25, 1.5, 2.75, 3.9]], order=3)
  const volume: Volume = {
    size: [5, 1, 1],
    affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
    data: Float32Array.of(1, 4, 2, 0, 7),
  };
  const expected = [1, 1.3783482142857, 3.8303571428571, -0.6015625, 6.8483571428571];
  const positions = [0, 0.25, 1.5, 2.75, 3.9];
  positions.forEach((x, i) => {
    const grid = { size: [1, 1, 1] as const, affine: volume.affine.with(3, x) };
    expect(resampleCubicTo(volume, grid).data[0]!, `at ${x}`).toBeCloseTo(expected[i]!, 5);
  });
});

test("it follows a smooth image closer than trilinear resampling; beyond it there is 0", () => {
  const smooth = (x: number, y: number, z: number) =>
    Math.sin(x / 2) + Math.cos(y / 2.5) * Math.sin(z / 3);
  const volume = sampled({ size: [23, 21, 15], affine: AFFINE }, smooth);
  const inner: Grid = {
    size: [9, 9, 9],
    affine: [0.5, 0, 0.1, -2, 0, 0.5, 0, 0.5, 0.1, 0, 0.5, 10, 0, 0, 0, 1],
  };
  const truth = sampled(inner, smooth).data;
  const error = ({ data }: Volume) =>
    Math.max(...data.map((value, i) => Math.abs(value - truth[i]!)));
  const [cubic, linear] = [resampleCubicTo(volume, inner), resampleTo(volume, inner)];
  expect(cubic.outside).toBe(0);
  expect(error(cubic)).toBeLessThan(0.01);
  expect(error(cubic)).toBeLessThan(0.2 * error(linear));
  const beyond = resampleCubicTo(volume, { ...inner, affine: inner.affine.with(3, 60) });
  expect(beyond.outside).toBe(729);
  expect(beyond.data.every((value) => value === 0)).toBeTrue();
});
