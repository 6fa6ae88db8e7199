/** The brain mask of a pair, and found lesions that it keeps out. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrain } from "../src/brain/brain_mask";
import { dilated, eroded, largestPart } from "../src/brain/morphology";
import { fieldOfView, movedMask, pairBrain } from "../src/brain/pair_brain";
import { IDENTITY } from "../src/data/affine";
import { readMask } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { makePatient } from "../src/data/phantom/patient";
import { writeSafetensors } from "../src/data/safetensors_file";
import type { Mask, Size3, Volume } from "../src/data/volume";
import { DEFAULT_RULE, greatestMass, lesionsOf } from "../src/decision/found_lesions";
import { weightsMetadata } from "../src/infer/model_info";
import { expectRefusal, succeed } from "./cli_rig";
import { once } from "./once";
import { MODEL, weightsContents } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-brain-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SIZE: Size3 = [21, 20, 19];
const grid = { size: SIZE, affine: [2, 0, 0, -20, 0, 2, 0, -20, 0, 0, 2, -20, 0, 0, 0, 1] };
const sum = (data: Uint8Array) => data.reduce((total, v) => total + v, 0);

/** Voxels of the grid where a rule of x, y, z holds. */
function where(rule: (x: number, y: number, z: number) => boolean, over = grid): Mask {
  const [nx, ny] = over.size;
  const data = new Uint8Array(over.size.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    data[i] = rule(i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))) ? 1 : 0;
  }
  return { ...over, data };
}

test("masks grow and shrink by mm; the image's faces take nothing", () => {
  const point = where((x, y, z) => x === 10 && y === 10 && z === 9);
  expect([1, 2, 3, 4].map((mm) => sum(dilated(point, mm).data))).toEqual([1, 7, 19, 33]);
  expect(eroded(dilated(point, 4), 2).data).toEqual(dilated(point, 2).data);
  const full = where(() => true);
  expect(eroded(full, 6).data).toEqual(full.data);
  const two = where((x) => x < 3 || x > 18);
  expect(largestPart(two).data).toEqual(where((x) => x < 3).data);
});

/** Skin, skull and brain as ellipsoids, an eye that hangs on the brain, and noise without rounding. */
function craftedHead(): Volume {
  const size: Size3 = [57, 66, 53];
  const [edge, sx, sy] = [3, size[0], size[0] * size[1]];
  const affine = [edge, 0, 0, -84, 0, edge, 0, -97.5, 0, 0, edge, -78, 0, 0, 0, 1];
  let noise = 1;
  const data = new Float32Array(sy * size[2]);
  for (let i = 0; i < data.length; i++) {
    noise = (noise * 16807) % 2147483647;
    const x = edge * (i % sx) - 84;
    const y = edge * (Math.floor(i / sx) % size[1]) - 97.5;
    const z = edge * Math.floor(i / sy) - 78;
    const inside = (r: number) => (x / r) ** 2 + (y / (1.2 * r)) ** 2 + (z / (0.95 * r)) ** 2 < 1;
    const ventricle = x * x * 4 + y * y + z * z < 400;
    const eye = x * x + (y - 78) ** 2 + (z + 20) ** 2 < 250;
    const tissue = eye || (inside(62) && !ventricle);
    const value = inside(78) && !inside(72) ? 300 : tissue ? 200 : inside(78) ? 40 : 10;
    data[i] = value + (noise % 31);
  }
  return { size, affine, data };
}

test("the mask of a crafted head is the same, bit for bit, however it is computed", () => {
  const { mask, doubt } = findBrain(craftedHead());
  expect([doubt, mask.size, sum(mask.data)]).toEqual([undefined, [86, 99, 80], 196_296]);
  expect(Bun.hash.crc32(mask.data)).toBe(3060817663);
});

test("of a pair: what both hold may be compared", () => {
  const one = where((x) => x >= 5 && x < 12);
  const two = where((x) => x >= 8 && x < 15);
  const seen = (mask: Mask | undefined, own = grid) => ({ grid: own, toVisit: IDENTITY, mask });
  const pair = pairBrain([seen(one), seen(two)], grid)!;
  expect(pair.data).toEqual(where((x) => x >= 8 && x < 12).data);
  // One mask alone counts for both, within what the other visit shows.
  const half = { ...grid, size: [10, 20, 19] as Size3 };
  const alone = pairBrain([seen(one), seen(undefined, half)], grid)!;
  expect(alone.data).toEqual(where((x) => x >= 5 && x < 10).data);
  expect(pairBrain([seen(undefined), seen(undefined)], grid)).toBeUndefined();
});

test("a moved visit shows what its field of view holds", () => {
  const motion = [1, 0, 0, 10, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  expect(fieldOfView(grid, motion, grid)).toEqual(where((x) => x < 16).data);
});

describe("lesions of a map", () => {
  const map: Volume = {
    ...grid,
    data: Float32Array.from(
      where((x, y, z) => y > 4 && y < 8 && z === 9 && [2, 3, 10, 11, 12, 13].includes(x)).data,
      (v) => 0.7 * v,
    ),
  };

  test("those outside are left out, counted and measured; three tenths inside are inside", () => {
    const allowed = where((x) => x >= 12);
    const all = lesionsOf(map, DEFAULT_RULE);
    expect([all.lesions.map(({ voxels }) => voxels), all.outside]).toEqual([[12, 6], undefined]);
    const { lesions, outside, mask, dropped } = lesionsOf(map, DEFAULT_RULE, allowed);
    expect(lesions.map(({ voxels }) => voxels)).toEqual([12]);
    expect(outside).toEqual({ components: 1, volumeMm3: 6 * 8 });
    expect([sum(mask.data), dropped]).toEqual([12, 0]);
    const share = (voxels: number) => {
      let left = voxels;
      const data = Uint8Array.from(map.data, (v, i) =>
        v > 0 && i % 20 >= 10 && left-- > 0 ? 1 : 0,
      );
      return lesionsOf(map, DEFAULT_RULE, { ...grid, data }).lesions.length;
    };
    expect([share(12), share(4), share(3), share(0)]).toEqual([1, 1, 0, 0]);
  });

  test("nor do they weigh in the answer for the patient", () => {
    expect(greatestMass(map, 0.5)).toBeCloseTo(12 * 8 * 0.7, 3);
    expect(
      greatestMass(
        map,
        0.5,
        where((x) => x < 5),
      ),
    ).toBeCloseTo(6 * 8 * 0.7, 3);
    expect(
      greatestMass(
        map,
        0.5,
        where(() => false),
      ),
    ).toBe(0);
  });
});

describe("bun run predict", () => {
  const path = (name: string) => join(folder, name);
  const visits = makePatient({ seed: 3, spacing: 4, fieldOfView: [160, 192, 160] }, 0).visits;
  /** A network that takes every voxel for a lesion. */
  const everywhere = path("everywhere.safetensors");
  const written = once(async () => {
    for (const [i, visit] of visits.entries()) await writeVolume(path(`t${i + 1}.nii`), visit);
    const { tensors } = weightsContents((named) => {
      for (const [name, { shape }] of named) {
        if (shape.length !== 1 || shape[0] !== 1) continue;
        named.set(name, { shape, data: new Float32Array([9]) });
      }
    });
    const model = { ...MODEL, spacing: 8, stride: 8 };
    writeSafetensors({ path: everywhere, tensors, metadata: weightsMetadata(model) });

    await writeMask(path("all.nii"), {
      ...visits[0],
      data: new Uint8Array(visits[0].data.length).fill(1),
    });
    await writeMask(path("none.nii"), {
      ...visits[0],
      data: new Uint8Array(visits[0].data.length),
    });
  });
  const args = (...more: string[]) =>
    [
      ...["predict", "-t1", path("t1.nii"), "-t2", path("t2.nii"), "-o", path("o.nii")],
      ...["--weights", everywhere, "--tune", "off", "--register", "off", ...more],
    ] as const;

  test("leaves out what lies outside the brain, by its own mask or a file's, and says so", async () => {
    await written();
    const report = path("r.json");
    const own = await succeed(...(args("--report", report) as unknown as [string]));
    expect(own.out).toMatch(/^mask: 0 lesions, 0\.0 mm³$/m);
    expect(own.out).toMatch(/^left out: 1 component, \d{7}\.0 mm³, not well inside the brain/m);
    const { leftOut, newLesions } = JSON.parse(readFileSync(report, "utf8"));
    expect([leftOut.components, leftOut.volumeMm3, newLesions]).toEqual([
      1,
      160 * 192 * 160,
      false,
    ]);
    expect(sum((await readMask(path("o.nii"))).data)).toBe(0);
    const given = await succeed(...(args("--brain", path("all.nii")) as unknown as [string]));
    expect(given.err).toMatch(/brain mask: that of .*all\.nii, 4915 ml/);
    expect(given.out).toMatch(/^mask: 1 lesion/m); // more than a brain: lesions may lie anywhere
    expect(given.out).toMatch(/^left out: nothing$/m);
    const place = path("allowed.nii");
    await succeed(...(args("--allowed", place) as unknown as [string]));
    const allowed = await readMask(place);
    expect(sum(allowed.data)).toBeWithin(50, allowed.data.length / 20); // of noise, in the brain
    const off = await succeed(
      ...(args("--brain", "off", "--allowed", place) as unknown as [string]),
    );
    expect(sum((await readMask(place)).data)).toBe(allowed.data.length);
    expect(off.out).toMatch(/^mask: 1 lesion/m);
    expect(off.out).not.toMatch(/left out/);
  });

  test("refuses a mask that is empty, is none or is not there", async () => {
    await written();
    const refused = (what: RegExp, mask: string) =>
      expectRefusal(what, ...(args("--brain", mask) as unknown as [string]));
    await refused(/--brain .*none\.nii: no voxel of it lies in the image/, path("none.nii"));
    await refused(/t1\.nii: .*0 and 1/, path("t1.nii"));
    await refused(/auto\.nii: no such file/, path("auto.nii"));
  });

  test("refuses a mask that cannot be the brain of the first visit", async () => {
    await written();
    const [{ size, affine, data }] = visits;
    const brain = movedMask(findBrain(visits[0]).mask, IDENTITY, visits[0]);
    const refused = async (what: RegExp, name: string, mask: Mask, ...more: string[]) => {
      await writeMask(path(name), mask);
      const named = args("--brain", path(name), ...more);
      await expectRefusal(what, ...(named as unknown as [string]));
    };
    const some = { ...brain, data: brain.data.map((v, i) => (i % 20 === 0 ? v : 0)) };
    await refused(/some\.nii: holds \d\d ml, a brain 600 ml or more/, "some.nii", some);
    const around = { size, affine, data: brain.data.map((v) => 1 - v) };
    await refused(/around\.nii: holds \d % of what looks like the brain/, "around.nii", around);
    const finer = [affine.map((v, i) => (i === 3 ? v + 9 : v)), data.slice()] as const;
    await writeVolume(path("t3.nii"), { size, affine: finer[0], data: finer[1] });
    const second = { ...brain, affine: finer[0] };
    await refused(
      /second\.nii: its grid is that of the second visit/,
      "second.nii",
      second,
      "-t2",
      path("t3.nii"),
    );
  });
});
