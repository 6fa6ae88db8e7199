/** A few voxels that are far brighter than all others. */
import { expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import { withoutHotVoxels } from "../src/data/hot_voxels";
import { parseNifti } from "../src/data/nifti_decode";
import { visitStatistics } from "../src/data/visit_statistics";
import { fixture, SFORM } from "./nifti_fixture";

const random = new Philox(17);
/** Half of it is air; the rest as a head, with some voxels four times as bright as its mean. */
const values = Array.from({ length: 20 * 20 * 20 }, (_, i) => {
  if (i % 2 === 0) return 0;
  return i % 997 === 0 ? 1200 : 300 + 40 * random.normal();
});

const image = (changed: Readonly<Record<number, number>> = {}, scale = 1) =>
  parseNifti(
    fixture({
      ...{ type: "float32", dims: [3, 20, 20, 20], sform: SFORM },
      values: values.map((v, i) => scale * (changed[i] ?? v)),
    }),
    "a.nii",
  );

test("an ordinary image stays the same object, in any magnitude", () => {
  for (const scale of [1, -1, 1e-30, 1e35]) {
    const ordinary = image({}, scale);
    expect(withoutHotVoxels(ordinary, "a.nii")).toBe(ordinary);
  }
  const empty = parseNifti(fixture({ sform: SFORM, values: Array(24).fill(0) }), "empty.nii");
  expect(withoutHotVoxels(empty, "empty.nii")).toBe(empty);
});

test("hot voxels get the 99 % quantile, with their sign; no other voxel changes; a note", () => {
  const sorted = values.filter((v) => v !== 0).sort((a, b) => a - b);
  const quantile = sorted[Math.ceil(0.99 * sorted.length) - 1]!;
  for (const hot of [3e38, 1e5, -1e5, 12 * quantile]) {
    const before = image({ 101: hot, 3000: hot });
    const { data, notes } = withoutHotVoxels(before, "a.nii");
    for (const at of [101, 3000]) {
      expect(Math.abs(data[at]! / (Math.sign(hot) * quantile) - 1), `${hot}`).toBeLessThan(0.01);
    }
    expect(data.with(101, 0).with(3000, 0)).toEqual(before.data.with(101, 0).with(3000, 0));
    expect(notes.length).toBe(1);
    expect(notes[0]).toMatch(
      /^a\.nii: 2 hot voxels of up to .*, where 99 % of the image stay below /,
    );
  }
  const { notes } = withoutHotVoxels(image({ 101: 1e5 }), "a.nii");
  expect(notes[0]).toMatch(
    /^a\.nii: 1 hot voxel of up to 100000, where 99 % .* below \d+: set to that$/,
  );
});

test("up to one in a hundred voxels of the head may be hot", () => {
  const some = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [1 + 200 * i, 1e6]));
  const { data, notes } = withoutHotVoxels(image(some), "a.nii");
  expect(Math.max(...data)).toBeLessThan(1300);
  expect(notes[0]).toContain("30 hot voxels");
});

test("statistics of a visit that is not finite are refused", () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => visitStatistics(Float32Array.of(1, bad, 2))).toThrow(/NaN or infinite/);
  }
});
