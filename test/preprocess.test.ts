/** Resampling and normalisation on the device, whole and in slabs, against the host's resampling. */
import { afterAll, expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import { resampledGrid } from "../src/data/affine";
import { normaliseOnDevice, resampleOnDevice, targetGrid } from "../src/data/preprocess";
import { resampleTo } from "../src/data/resample";
import type { Volume } from "../src/data/volume";
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

test("normalised: mean 0 and standard deviation 1; a constant image is refused by name", async () => {
  const how = { mode: "volume" as const, name: "a.nii.gz" };
  const z = await normaliseOnDevice(memory, thick.data, how);
  const mean = z.reduce((sum, v) => sum + v, 0) / z.length;
  const square = z.reduce((sum, v) => sum + (v - mean) ** 2, 0) / z.length;
  expect(Math.abs(mean)).toBeLessThan(1e-4);
  expect(Math.abs(square - 1)).toBeLessThan(1e-4);
  const flat = new Float32Array(100).fill(7);
  await expect(normaliseOnDevice(memory, flat, how)).rejects.toThrow(/a\.nii\.gz: all voxels/);
});
