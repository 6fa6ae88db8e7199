/**
 * ITK reads our images and transforms, and resamples alike. Its results were stored by
 * test/golden/elastix.mjs, from files that this test wrote: VOXGRAD_WRITE_GOLDEN=1 bun test test/itk_golden.test.ts
 */
import { afterAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Philox } from "../src/core/random";
import { applyAffine, multiplyAffine, sameGrid, voxelToVoxel } from "../src/data/affine";
import { itkTransformText } from "../src/data/itk_transform";
import { readVolume } from "../src/data/nifti_read";
import { writeVolume } from "../src/data/nifti_write";
import { resampleCubicTo } from "../src/data/resample_cubic";
import type { Affine, Grid, Size3, Volume } from "../src/data/volume";
import { Memory } from "../src/gpu/memory";
import { exponential } from "../src/register/rigid";
import { warpTo } from "../src/register/warp";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

const at = (name: string) => join(import.meta.dir, "golden/itk", name);

/** A grid of oblique, orthogonal axes, as ITK wants them. */
const oblique = (size: Size3, turn: readonly number[], axes: readonly number[]): Grid => ({
  size,
  affine: multiplyAffine(exponential([...turn, 0, 0, 0]), axes),
});
/** Voxels of three different edges, of which two axes run backwards. */
const PHANTOM = oblique(
  [15, 17, 13],
  [0.1, -0.15, 0.12],
  [-2.1, 0, 0, 14, 0, -1.9, 0, 16, 0, 0, 3.2, -19, 0, 0, 0, 1],
);
/** Another, which the moved phantom does not fill, with its axes in another order. */
const GRID = oblique(
  [14, 15, 16],
  [-0.1, 0.05, 0.2],
  [0, 0, 2, -16, 2.2, 0, 0, -15, 0, 2.4, 0, -21, 0, 0, 0, 1],
);
/** A turn by 17°, a shift, a little scaling and shear. */
const MOTION: Affine = multiplyAffine(exponential([0.1, -0.2, 0.2, 3, -4, 2]), [
  ...[1.02, 0.01, 0, 0],
  ...[0, 0.98, 0.015, 0],
  ...[0.005, 0, 1.01, 0],
  ...[0, 0, 0, 1],
]);

/** Hills of some voxels' width. */
function phantom(): Volume {
  const { size, affine } = PHANTOM;
  const random = new Philox(14, 4);
  const draw = () => ({
    centre: [0, 1, 2].map(() => 15 * (2 * random.uniform() - 1)),
    width: 5 + 4 * random.uniform(),
    height: 100 * random.uniform(),
  });
  const hills = Array.from({ length: 12 }, draw);
  const [nx, ny, nz] = size;
  const data = Float32Array.from({ length: nx * ny * nz }, (_, i) => {
    const p = applyAffine(affine, [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))]);
    return hills.reduce((sum, { centre, width, height }) => {
      const distance = Math.hypot(...p.map((v, k) => v - centre[k]!));
      return sum + height * Math.exp(-0.5 * (distance / width) ** 2);
    }, 0);
  });
  return { size, affine, data };
}

if (process.env.VOXGRAD_WRITE_GOLDEN) {
  await writeVolume(at("phantom.nii.gz"), phantom());
  const [nx, ny, nz] = GRID.size;
  await writeVolume(at("grid.nii.gz"), { ...GRID, data: new Float32Array(nx * ny * nz) });
  writeFileSync(at("motion.txt"), itkTransformText(MOTION));
}

test("the files that ITK read are those that are written now", async () => {
  const stored = await readVolume(at("phantom.nii.gz"));
  expect(sameGrid(stored, PHANTOM, 1e-4)).toBe(true);
  const differs = phantom().data.filter((v, i) => Math.abs(v - stored.data[i]!) > 1e-4);
  expect(differs.length).toBe(0);
  expect(readFileSync(at("motion.txt"), "utf8")).toBe(itkTransformText(MOTION));
});

/** The grid as it lies in the phantom's world. */
const moved: Grid = { ...GRID, affine: multiplyAffine(MOTION, GRID.affine) };

/** Whether a voxel of the grid lies within the phantom, so many voxels from its outermost centres. */
function isInside(index: number, margin: number): boolean {
  const [nx, ny] = GRID.size;
  const to = voxelToVoxel(PHANTOM, moved);
  const p = applyAffine(to, [
    index % nx,
    Math.floor(index / nx) % ny,
    Math.floor(index / (nx * ny)),
  ]);
  return p.every((v, axis) => v >= margin && v <= PHANTOM.size[axis]! - 1 - margin);
}

for (const { name, by, resampled, margin, most } of [
  {
    ...{ name: "linear", by: "trilinear", margin: 0.01, most: 0.001 },
    resampled: (source: Volume) => warpTo(memory, source, MOTION, GRID, { order: "trilinear" }),
  },
  {
    ...{ name: "bspline", by: "B-spline", margin: 0.01, most: 0.001 },
    resampled: async (source: Volume) => resampleCubicTo(source, moved),
  },
  // Another cubic kernel, which differs by 1.3 % where the hills bend most.
  {
    ...{ name: "bspline", by: "cubic convolution", margin: 1, most: 3 },
    resampled: (source: Volume) => warpTo(memory, source, MOTION, GRID),
  },
]) {
  test(`a volume resampled by a transform is ITK's (${by}), and so is its grid`, async () => {
    const itk = await readVolume(at(`${name}.nii.gz`));
    expect(sameGrid(itk, GRID, 1e-4)).toBe(true);
    const ours = await resampled(await readVolume(at("phantom.nii.gz")));
    const inside = [...ours.data.keys()].filter((i) => isInside(i, margin));
    const errors = inside.map((i) => Math.abs(ours.data[i]! - itk.data[i]!));
    expect(inside.length).toBeGreaterThan(1600);
    expect(Math.max(...errors)).toBeLessThan(most);
  });
}
