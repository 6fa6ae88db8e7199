/** Registration of made-up heads by known motions; of published scans where they are at hand. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrain } from "../../src/brain/brain_mask";
import { IDENTITY, invertAffine, multiplyAffine } from "../../src/data/affine";
import { parseItkTransform } from "../../src/data/itk_transform";
import { readVolume } from "../../src/data/nifti_read";
import { writeVolume } from "../../src/data/nifti_write";
import type { Affine, Volume } from "../../src/data/volume";
import { inOrder, orderTo } from "../../src/data/voxel_order";
import { Memory } from "../../src/gpu/memory";
import { openDevice } from "../../src/hosts/bun";
import { align, findBrains } from "../../src/register/align";
import { register, rmsDistance } from "../../src/register/register";
import { about } from "../../src/register/rigid";
import { onAnswerGrid, placePair, type ReadImage } from "../../src/run/placed_pair";
import { expectRefusalOf, runDocumented } from "../cli_rig";
import {
  errorOf,
  madeUp,
  motionOf,
  publishedPair,
  type Scanner,
  SHARED_DATA,
  scannedAgain,
} from "../registration_rig";

const device = await openDevice({ quiet: true });
const memory = new Memory(device);
const folder = mkdtempSync(join(tmpdir(), "voxgrad-register-"));
afterAll(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

const subject = madeUp(0);
const [person, other] = [subject.image, madeUp(1).image];
const { brain } = subject;
const motion = (degrees: number, mm: number) => motionOf(subject, degrees, mm);
const scanned = (moved: Affine, scanner: Scanner) => scannedAgain(subject, moved, scanner);
const inOrderOf = (image: Volume, code: string) => inOrder(image, orderTo(image.affine, code));
const error = (found: Affine, wanted: Affine) => errorOf(subject, found, wanted);

describe("known motions", () => {
  for (const [degrees, mm, slice] of [
    [3, 5, 1.5],
    [20, 75, 4],
  ] as const) {
    test(`${degrees}° and ${mm} mm, slices of ${slice} mm, with and without lesions`, async () => {
      const wanted = motion(degrees, mm);
      const found: Affine[] = [];
      for (const lesions of [0, 10]) {
        const visit2 = scanned(wanted, { slice, lesions });
        const brains = [brain, findBrain(visit2).mask] as const;
        const result = await register(memory, person, visit2, { brains });
        expect(error(result!.transform, wanted)).toBeLessThan(0.03);
        expect(result!.similarity).toBeGreaterThan(0.9);
        found.push(result!.transform);
      }
      expect(error(found[0]!, found[1]!)).toBeLessThan(0.01);
    });
  }

  test("visits swapped give the inverse, twice the same bits", async () => {
    const visit2 = scanned(motion(7, 20), { slice: 3 });
    const there = await register(memory, person, visit2);
    const back = await register(memory, visit2, person);
    expect(error(multiplyAffine(back!.transform, there!.transform), IDENTITY)).toBeLessThan(0.002);
    expect((await register(memory, person, visit2))!.transform).toEqual(there!.transform);
  });

  test("voxels stored in another order change nothing", async () => {
    const visit2 = scanned(motion(7, 20), { slice: 3 });
    const stored = await Promise.all(
      [
        ["RAS", "RAS"],
        ["LPS", "LPS"],
        ["PIR", "SAL"],
        ["RAS", "LPI"],
      ].map(async ([code1, code2]) => {
        const [one, two] = [inOrderOf(person, code1!), inOrderOf(visit2, code2!)];
        return (await align(memory, one, two, { mode: "always" })).registration!.transform;
      }),
    );
    for (const transform of stored) expect(error(transform, stored[0]!)).toBeLessThan(0.002);
  });

  test("an affine motion, by 12 numbers", async () => {
    const scaled: Affine = [1.02, 0.01, 0, 0, 0, 0.985, 0.01, 0, 0, 0, 1.01, 0, 0, 0, 0, 1];
    const wanted = multiplyAffine(motion(6, 15), about(subject.head.centre, scaled));
    const visit2 = scanned(wanted, { slice: 1.5 });
    const found = await register(memory, person, visit2, { kind: "affine" });
    expect(error(found!.transform, wanted)).toBeLessThan(0.06);
  });
});

describe("a pair for predict", () => {
  const visit = (path: string, image: Volume): ReadImage => ({
    path,
    image: { ...image, info: INFO, notes: [] },
  });

  test("is put between both visits, and an answer goes back to the grid of either", async () => {
    const wanted = motion(9, 30);
    const [one, two] = [visit("one.nii", person), visit("two.nii", scanned(wanted, { slice: 3 }))];
    const placed = await placePair(memory, one, two, "auto");
    expect(placed.alignment!.trusted).toBe(true);
    expect(placed.pair.time1.size).toEqual(placed.pair.time2.size);
    // Visit 1 itself stands for a map: it must come back where it was, and lie on visit 2 there.
    const [back1, back2] = [
      await onAnswerGrid(memory, placed, placed.pair.time1, "t1"),
      await onAnswerGrid(memory, placed, placed.pair.time1, "t2"),
    ];
    expect([back1.size, back2.size]).toEqual([one.image.size, two.image.size]);
    expect(correlationOf(back1.data, one.image.data)).toBeGreaterThan(0.97);
    expect(correlationOf(back2.data, two.image.data)).toBeGreaterThan(0.97);
    const middle = await onAnswerGrid(memory, placed, placed.pair.time1, "middle");
    expect(middle).toBe(placed.pair.time1);
  });

  test("half of a head is put on the whole one", async () => {
    const whole = scanned(motion(9, 30), { slice: 3 });
    const [nx, ny] = whole.size;
    const size = [nx, ny, 34] as const;
    const half = { ...whole, size, data: whole.data.slice(0, nx * ny * 34) };
    const placed = await placePair(
      memory,
      visit("one.nii", person),
      visit("half.nii", half),
      "auto",
    );
    expect(placed.alignment!.trusted).toBe(true);
    expect(error(placed.alignment!.registration!.transform, motion(9, 30))).toBeLessThan(0.2);
  });

  test("stays as its headers say where registration is off, not needed or not to be trusted", async () => {
    const one = visit("one.nii", person);
    const still = { ...person, data: person.data.map((v) => 1.1 * v) };
    for (const [image, mode, note] of [
      [still, "off", undefined],
      [still, "auto", /the visits are aligned/],
      [other, "auto", /NOT FIT: the visits do not look like one head/],
    ] as const) {
      const placed = await placePair(memory, one, visit("two.nii", image), mode);
      expect(placed.pose).toBeUndefined();
      expect(placed.pair.time1.data).toEqual(person.data);
      if (note) expect(placed.pair.notes.join("\n")).toMatch(note);
      else expect(placed.pair.notes).toEqual([]);
    }
  });
});

const INFO = { geometry: "sform" } as ReadImage["image"]["info"];

function correlationOf(a: Float32Array, b: Float32Array): number {
  const mean = (v: Float32Array) => v.reduce((sum, x) => sum + x, 0) / v.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

describe("bun run register", () => {
  test("writes both visits half-way, transforms, residual, weights, report and picture", async () => {
    const [a, b, out] = ["a.nii.gz", "b.nii.gz", "out"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const wanted = motion(8, 25);
    await writeVolume(a, person);
    await writeVolume(b, scanned(wanted, { slice: 3 }));
    const { code, out: text } = await runDocumented("register", a, b, "--out", out);
    expect(code).toBe(0);
    expect(text).toMatch(/visit 2 turned by 8\.0° and moved by/);
    const [one, two] = await Promise.all(
      [1, 2].map((k) => readVolume(join(out, `visit${k}.nii.gz`))),
    );
    expect(two!.size).toEqual(one!.size);
    const transforms = [1, 2].map((k) => {
      const name = `middle_to_visit${k}.txt`;
      return parseItkTransform(readFileSync(join(out, name), "utf8"), name);
    });
    const found = multiplyAffine(transforms[1]!, invertAffine(transforms[0]!));
    expect(error(found, wanted)).toBeLessThan(0.03);
    for (const name of ["residual.nii.gz", "weights.nii.gz", "registration.png"]) {
      expect(existsSync(join(out, name)), name).toBe(true);
    }
    const report = JSON.parse(readFileSync(join(out, "registration.json"), "utf8"));
    expect(report).toMatchObject({ trusted: true, mirrored: false, motion: "rigid" });
  });

  test("two people: files to look at, exit code 2 and one line", async () => {
    const [a, b] = [join(folder, "a.nii.gz"), join(folder, "stranger.nii.gz")];
    await writeVolume(a, person);
    await writeVolume(b, other);
    const out = join(folder, "strangers");
    await expectRefusalOf(/not to be trusted \(similarity/, "register", a, b, "--out", out);
    expect(existsSync(join(out, "registration.png"))).toBe(true);
  });
});

const SHARED = SHARED_DATA && join(SHARED_DATA, "ljubljana_raw");

/** What elastix makes of the same pair (test/golden/README.md). */
function elastixTransform(patient: string): Affine {
  const name = join(import.meta.dir, `../golden/itk/elastix_pair${patient}.txt`);
  return parseItkTransform(readFileSync(name, "utf8"), name);
}

describe.skipIf(!SHARED)("published raw pairs (skipped without shared data)", () => {
  for (const [patient, most, mostFromElastix] of [
    ["01", 0.35, 0.35],
    ["03", 0.75, 1],
    ["19", 0.75, 0.75],
  ] as const) {
    test(`patient ${patient} lies within ${most} mm of the published transforms`, async () => {
      const path = (k: number) => join(SHARED!, `raw/patient${patient}/study${k}_FLAIR.nii.gz`);
      const [visit1, visit2] = await Promise.all([readVolume(path(1)), readVolume(path(2))]);
      const { brains = [undefined, undefined] } = findBrains(visit1, visit2);
      const found = await align(memory, visit1, visit2, { mode: "auto", brains });
      const back = await align(memory, visit2, visit1, {
        ...{ mode: "auto", brains: [brains[1], brains[0]] },
      });
      const [there, elastix] = [found.registration!.transform, elastixTransform(patient)];
      const { transform: wanted, points } = await publishedPair(patient);
      const errors = [
        rmsDistance(there, wanted, points),
        rmsDistance(there, elastix, points),
        rmsDistance(elastix, wanted, points),
      ];
      const twice = multiplyAffine(back.registration!.transform, there);
      const swapped = rmsDistance(twice, IDENTITY, points);
      const { similarity } = found.registration!;
      const cells = [...errors.map((v) => v.toFixed(2)), swapped.toFixed(4), similarity.toFixed(2)];
      console.log(`| ${[patient, ...cells].join(" | ")} |`);
      expect([found.trusted, found.aligned]).toEqual([true, false]);
      expect(errors[0]).toBeLessThan(most);
      expect(errors[1]).toBeLessThan(mostFromElastix);
      expect(swapped).toBeLessThan(0.002);
    });
  }
});
