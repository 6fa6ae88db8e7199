/** Resampling and normalisation on the device, whole and in slabs, against the host's resampling. */
import { afterAll, describe, expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import { state } from "../src/core/tensor";
import { resampledGrid } from "../src/data/affine";
import {
  DevicePair,
  type ImagePair,
  type Normalisation,
  preparePair,
} from "../src/data/preprocess";
import { resampleTo } from "../src/data/resample";
import { resampleOnDevice } from "../src/data/resample_device";
import type { Mask, Volume } from "../src/data/volume";
import { labelOnGrid, targetGrid } from "../src/data/working_grid";
import { Memory } from "../src/gpu/memory";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

const random = new Philox(11);
const thick: Volume = {
  size: [21, 18, 9],
  affine: [-0.7, 0, 0, 8, 0, -0.7, 0, 5, 0, 0, 3, -11, 0, 0, 0, 1],
  data: Float32Array.from({ length: 21 * 18 * 9 }, () => 100 + 30 * random.normal()),
};

for (const [name, spacing] of [
  ["finer", 0.5],
  ["coarser", 1.4],
] as const) {
  test(`${name} voxels: slabs give what one dispatch gives, and inside what the host gives`, async () => {
    const grid = resampledGrid(thick, spacing);
    const whole = await resampleOnDevice(memory, thick.data, thick, grid, "trilinear");
    const slabs = await resampleOnDevice(memory, thick.data, thick, grid, "trilinear", 4500);
    expect(Math.max(...whole.map((v, i) => Math.abs(v - slabs[i]!)))).toBeLessThan(1e-3);
    const host = resampleTo(thick, grid);
    let compared = 0;
    host.data.forEach((v, i) => {
      if (v === 0) return; // outside the field of view the host gives 0, the device the edge
      compared++;
      expect(Math.abs(v - whole[i]!)).toBeLessThan(1e-2);
    });
    expect(compared).toBeGreaterThan(whole.length / 2);
  });
}

test("a grid that has the spacing already is kept", () => {
  expect(
    targetGrid({ ...thick, affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] }, 1).size,
  ).toEqual(thick.size);
});

/** Mean and standard deviation of the values that `counts`. */
function moments(values: Float32Array, counts: (i: number) => boolean = () => true) {
  const taken = values.filter((_, i) => counts(i));
  const mean = taken.reduce((sum, v) => sum + v, 0) / taken.length;
  return {
    mean,
    std: Math.sqrt(taken.reduce((sum, v) => sum + (v - mean) ** 2, 0) / taken.length),
  };
}

const shifted: Volume = { ...thick, data: thick.data.map((v) => 3 * v + 7) };
const half: Mask = { ...thick, data: Uint8Array.from(thick.data, (_, i) => (i % 21 < 9 ? 1 : 0)) };
const holes: Volume = { ...thick, data: thick.data.map((v, i) => (i % 21 < 9 ? 0 : v)) };

describe("a prepared pair", () => {
  const names = ["a.nii.gz", "b.nii.gz"] as const;
  const make = (images: ImagePair, normalisation: Normalisation, spacing = 0.5, most?: number) =>
    DevicePair.create(memory, images, names, { spacing, normalisation }, most);

  for (const most of [undefined, 6000]) {
    test(`resampled, each visit with mean 0 and deviation 1 (slabs of ${most})`, async () => {
      const pair = await make({ time1: thick, time2: shifted }, "volume", 0.5, most);
      const expected = await resampleOnDevice(memory, thick.data, thick, pair.grid, "trilinear");
      const { mean, std } = moments(expected);
      for (const visit of [0, 1] as const) {
        const values = await pair.read(visit);
        expect(values.length).toBe(expected.length);
        values.forEach((v, i) => {
          expect(Math.abs(v - (expected[i]! - mean) / std)).toBeLessThan(2e-5);
        });
      }
      pair.release();
    });
  }

  test("kept on its grid where that has the spacing already", async () => {
    const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    const image = { ...thick, affine };
    const { grid, visit1 } = await preparePair(memory, { time1: image, time2: image }, names, {
      spacing: 1,
      normalisation: "volume",
    });
    expect(grid).toEqual({ size: thick.size, affine });
    const { mean, std } = moments(thick.data);
    visit1.forEach((v, i) => {
      expect(Math.abs(v - (thick.data[i]! - mean) / std)).toBeLessThan(1e-5);
    });
  });

  test("normalised by the brain mask, or by the voxels that are not 0", async () => {
    const images = { time1: thick, time2: shifted, brainMask: half };
    const masked = await make(images, "mask", 0.5, 6000);
    const brain = await labelOnGrid(memory, half, masked.grid);
    const inside = moments(await masked.read(1), (i) => brain[i] === 1);
    expect(Math.abs(inside.mean)).toBeLessThan(1e-4);
    expect(Math.abs(inside.std - 1)).toBeLessThan(1e-4);
    const sparse = await make({ time1: holes, time2: holes }, "nonzero", 0.5, 6000);
    const raw = await resampleOnDevice(memory, holes.data, thick, sparse.grid, "trilinear");
    const nonzero = moments(await sparse.read(0), (i) => raw[i] !== 0);
    expect(Math.abs(nonzero.mean)).toBeLessThan(1e-4);
    expect(Math.abs(nonzero.std - 1)).toBeLessThan(1e-4);
    for (const pair of [masked, sparse]) pair.release();
  });

  test("filled into pages of a volume store as it is read", async () => {
    const pair = await make({ time1: thick, time2: shifted }, "volume", 0.5, 6000);
    const [nx, ny, nz] = pair.grid.size;
    const pages = [0, 1].map((i) => state(`page${i}`, [2 * nx * ny * (nz - 10 * i) + 3], "u32"));
    const ranges = pages.map((page, i) => ({ page, at: 3, z0: 10 * i, planes: nz - 10 * i }));
    await pair.fill(ranges);
    const visits = [await pair.read(0), await pair.read(1)];
    for (const { page, at, z0 } of ranges) {
      const values = (await memory.readF32(page)).subarray(at);
      const expected = visits.flatMap((visit) => [...visit.subarray(z0 * nx * ny)]);
      expect([...values]).toEqual(expected);
      memory.release(page);
    }
    pair.release();
  });

  test("no magnitude that float32 can hold decides anything", async () => {
    const expected = await (await make({ time1: thick, time2: shifted }, "volume")).read(0);
    const largest = Math.max(...thick.data.map(Math.abs));
    for (const exponent of [20, 60, 126 - Math.ceil(Math.log2(largest)), -20, -60, -100]) {
      const image = { ...thick, data: thick.data.map((v) => v * 2 ** exponent) };
      const pair = await make({ time1: image, time2: shifted }, "volume");
      expect(await pair.read(0), `2^${exponent}`).toEqual(expected);
      pair.release();
    }
    for (const factor of [1e20, 3e35, 1e-25]) {
      const image = { ...thick, data: thick.data.map((v) => v * factor) };
      const pair = await make({ time1: image, time2: shifted }, "volume");
      const values = await pair.read(0);
      const apart = values.reduce((most, v, i) => Math.max(most, Math.abs(v - expected[i]!)), 0);
      expect(apart, `${factor}`).toBeLessThan(1e-5);
      pair.release();
    }
  });

  test("a constant image, or a missing brain mask, is refused by name", async () => {
    for (const value of [7, 0.1, -1e-30, 3e38]) {
      const flat = { ...thick, data: new Float32Array(thick.data.length).fill(value) };
      await expect(make({ time1: thick, time2: flat }, "volume"), `${value}`).rejects.toThrow(
        /b\.nii\.gz: all voxels have the same value/,
      );
    }
    const part = { ...thick, data: Float32Array.from(half.data, (m) => 0.1 * m) };
    for (const mode of ["mask", "nonzero"] as const) {
      await expect(make({ time1: part, time2: thick, brainMask: half }, mode)).rejects.toThrow(
        new RegExp(`a\\.nii\\.gz: all voxels of the ${mode} region have the same value`),
      );
    }
    const broken = { ...thick, data: thick.data.with(5, Number.NaN) };
    await expect(make({ time1: broken, time2: thick }, "volume")).rejects.toThrow(
      /a\.nii\.gz: its mean is NaN and its standard deviation NaN, so it cannot be normalised/,
    );
    await expect(make({ time1: thick, time2: thick }, "mask")).rejects.toThrow(
      /a\.nii\.gz: --normalisation mask needs a brain mask/,
    );
  });
});
