/** The small parts of registration: motions, the robust scale, solving, warping, ITK transforms. */
import { afterAll, expect, test } from "bun:test";
import { gaussianTaps } from "../kernels/registration/gaussian_axis";
import { Philox } from "../src/core/random";
import {
  applyAffine,
  invertAffine,
  multiplyAffine,
  orientationCode,
  sameGrid,
} from "../src/data/affine";
import { itkTransformText, parseItkTransform } from "../src/data/itk_transform";
import { resampleTo } from "../src/data/resample";
import type { Affine, Grid, Size3, Volume } from "../src/data/volume";
import { inOrder, orderTo } from "../src/data/voxel_order";
import { Memory } from "../src/gpu/memory";
import { middleGrid } from "../src/register/align";
import { affineHalf, rigidHalf } from "../src/register/half";
import { reduced } from "../src/register/pyramid";
import { exponential, logarithm, rotationDegrees } from "../src/register/rigid";
import { robustScale } from "../src/register/robust_scale";
import { solveNormal } from "../src/register/solve";
import { warpMask, warpTo } from "../src/register/warp";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

/** Noise that is smooth enough to be interpolated. */
function volume(size: Size3, seed: number): Volume {
  const random = new Philox(seed, 1);
  const data = Float32Array.from({ length: size[0] * size[1] * size[2] }, () => random.normal());
  return { size, affine: [1.1, 0.1, 0, -20, 0, 0.9, 0.1, -21, 0, 0, 1.4, -23, 0, 0, 0, 1], data };
}
const [person, other] = [volume([37, 41, 29], 1), volume([33, 35, 31], 2)];

/** A turn about an oblique axis and a shift. */
const motion = (degrees: number, mm: number): Affine =>
  exponential([
    ...[0.36, 0.48, 0.8].map((v) => (v * degrees * Math.PI) / 180),
    ...[0.6, -0.64, 0.48].map((v) => v * mm),
  ]);

test("weights of a Gaussian, on a sample and between two: values by hand", () => {
  // e^−½(k / ½)² = 1, 0.1353353, 0.0003355, whose sum over −2 … 2 is 1.2713415
  const near = (values: readonly number[]) => values.map((v) => expect.closeTo(v, 6));
  const on = [0.00026387, 0.10645079, 0.78657069, 0.10645079, 0.00026387];
  expect([...gaussianTaps(0.5)]).toEqual(near(on));
  // e^−½(k / ½)² at ±½ and ±1½ = 0.6065307, 0.0111090
  const between = [0, 0.00899313, 0.49100687, 0.49100687, 0.00899313];
  expect([...gaussianTaps(0.5, 0.5)]).toEqual(near(between));
});

test("motions: half done twice is the whole, logarithm inverts exponential", () => {
  const random = new Philox(1, 1);
  const draws = [0, 1e-9, 0.3, 2.9].map((angle) => {
    const axis = [random.normal(), random.normal(), random.normal()];
    const norm = Math.hypot(...axis);
    return [...axis.map((v) => (v * angle) / norm), 30 * random.normal(), random.normal(), 1];
  });
  for (const twist of draws) {
    const m = exponential(twist);
    logarithm(m).forEach((v, i) => {
      expect(v).toBeCloseTo(twist[i]!, 9);
    });
    expect(rotationDegrees(m)).toBeCloseTo((Math.hypot(...twist.slice(0, 3)) * 180) / Math.PI, 6);
    for (const half of [rigidHalf(m), affineHalf(m)]) {
      multiplyAffine(half, half).forEach((v, i) => {
        expect(v).toBeCloseTo(m[i]!, 6);
      });
    }
  }
});

test("robust scale of a histogram, and small systems", () => {
  const random = new Philox(2, 2);
  const counts = new Float64Array(2048);
  for (let i = 0; i < 200_000; i++) {
    const e = i % 10 === 0 ? 3 * random.uniform() : 0.25 + 0.1 * random.normal();
    counts[Math.floor((e / 4 + 1) * 1024)]!++;
  }
  // A tenth of outliers on one side raises the median absolute deviation by a seventh at most.
  expect(robustScale(counts, 4)!).toBeGreaterThan(0.1);
  expect(robustScale(counts, 4)!).toBeLessThan(0.115);
  expect(robustScale(new Float64Array(2048), 4)).toBeUndefined();
  expect(solveNormal([4, 1, 1, 3], [1, 2])!.map((v) => v * 11)).toEqual([
    expect.closeTo(1, 10),
    expect.closeTo(7, 10),
  ]);
  expect(solveNormal([1, 1, 1, 1], [1, 2])).toBeUndefined();
});

test("a warped volume is that of the host, in one box or in many", async () => {
  const grid = { ...middleGrid(person, other, poseOf(motion(4, 9))), size: [23, 27, 19] as Size3 };
  const turned = motion(12, 6);
  const wanted = resampleTo(person, { ...grid, affine: multiplyAffine(turned, grid.affine) });
  for (const most of [2 ** 23, 3_000]) {
    const found = await warpTo(memory, person, turned, grid, { order: "trilinear", most });
    const differs = found.data.filter((v, i) => Math.abs(v - wanted.data[i]!) > 1e-3);
    expect(differs.length).toBeLessThanOrEqual(found.data.length * 1e-4);
  }
});

test("a mask that is moved keeps its volume, also where it is one voxel thick", async () => {
  const [size, affine] = [
    [40, 40, 40],
    [1, 0, 0, -20, 0, 1, 0, -20, 0, 0, 1, -20, 0, 0, 0, 1],
  ] as const;
  const data = new Uint8Array(40 ** 3);
  // A sheet, a thread and thirty single voxels, well inside.
  for (let x = 10; x < 30; x++) {
    for (let y = 10; y < 30; y++) data[(14 * 40 + y) * 40 + x] = 1;
    data[(25 * 40 + 20) * 40 + x] = 1;
  }
  for (let i = 0; i < 30; i++) {
    const [x, y] = [11 + 3 * (i % 6), 11 + 3 * Math.floor(i / 6)];
    data[(20 * 40 + y) * 40 + x] = 1;
  }
  const grid = { size, affine };
  const moved = await warpMask(memory, { ...grid, data }, motion(7, 0.6), grid);
  const volumes = [data, moved.data].map((mask) => mask.reduce((sum, v) => sum + v, 0));
  expect(volumes[1]! / volumes[0]!).toBeWithin(0.95, 1.05);
  expect(moved.data.every((v) => v === 0 || v === 1)).toBe(true);
});

const poseOf = (m: Affine) => ({ toVisit1: invertAffine(m), toVisit2: m, logScale: 0 });

test("a scan that is too large is thinned out alike in every order, and stays where it is", () => {
  const { size, affine } = person;
  const [nx, ny, nz] = size;
  const place = (grid: Grid, i: number) => {
    const [w, h] = grid.size;
    return applyAffine(grid.affine, [i % w, Math.floor(i / w) % h, Math.floor(i / (w * h))]);
  };
  const slope = (p: readonly number[]) => p[0]! + 2 * p[1]! - p[2]!;
  const ramp = Float32Array.from({ length: nx * ny * nz }, (_, i) => slope(place(person, i)));
  const half = reduced({ size, affine, data: ramp }, 2, 3_000);
  expect(half.data.length).toBeLessThanOrEqual(3_000);
  // Beyond the ends the last voxel is held, and the ramp is not.
  const [hx, hy, hz] = half.size;
  const inside = [...half.data.keys()].filter((i) => {
    const at = [i % hx, Math.floor(i / hx) % hy, Math.floor(i / (hx * hy))];
    return at.every((v, axis) => v > 0 && v < [hx, hy, hz][axis]! - 1);
  });
  expect(inside.length).toBeGreaterThan(500);
  for (const i of inside) expect(half.data[i]!).toBeCloseTo(2 * slope(place(half, i)), 3);
  const turned = reduced(inOrder(person, orderTo(affine, "PIL")), 1, 3_000);
  const wanted = reduced(person, 1, 3_000);
  const back = inOrder(turned, orderTo(turned.affine, orientationCode(affine)));
  expect(sameGrid(back, wanted, 1e-6)).toBe(true);
  const differs = back.data.filter((v, i) => Math.abs(v - wanted.data[i]!) > 1e-5);
  expect(differs.length).toBe(0);
});

test("transforms for ITK are read back as they were", () => {
  const m = motion(11, 40);
  parseItkTransform(itkTransformText(m), "own").forEach((v, i) => {
    expect(v).toBeCloseTo(m[i]!, 10);
  });
});
