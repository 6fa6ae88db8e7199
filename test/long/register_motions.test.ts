/**
 * Known motions of real scans, found again. Prints a row for each, as docs/guides/registration.md has it.
 * Skipped without the shared data.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { applyAffine, invertAffine, multiplyAffine } from "../../src/data/affine";
import { parseItkTransform } from "../../src/data/itk_transform";
import { readVolume } from "../../src/data/nifti_read";
import type { Affine } from "../../src/data/volume";
import { Memory } from "../../src/gpu/memory";
import { openDevice } from "../../src/hosts/bun";
import { align } from "../../src/register/align";
import { rotationDegrees } from "../../src/register/rigid";
import { once } from "../once";
import {
  errorOf,
  motionOf,
  type Scanner,
  SHARED_DATA,
  type Subject,
  scannedAgain,
  subjectOf,
} from "../registration_rig";

const device = await openDevice({ quiet: true });
const memory = new Memory(device);
afterAll(() => device.destroy());

/** Scans of four patients, from three scanners. */
const SCANS = [
  "longitudinal/patient01/flair_time01_on_middle_space.nii.gz",
  "singles/patient04_study1_FLAIR.nii.gz",
  "singles/patient09_study2_FLAIR.nii.gz",
  "singles/patient20_study2_FLAIR.nii.gz",
];
const subjects = SCANS.map((path) =>
  once(async () => subjectOf(await readVolume(`${SHARED_DATA}/${path}`))),
);

/** In-plane voxels of the second scan, mm. */
const EDGE = 1;
/** RMS over the head, mm. */
const MOST = 0.03;

async function found(subject: Subject, wanted: Affine, scanner: Scanner) {
  const visit2 = scannedAgain(subject, wanted, { edge: EDGE, ...scanner });
  const { registration, trusted } = await align(memory, subject.image, visit2, { mode: "always" });
  expect(trusted).toBe(true);
  const { transform, similarity } = registration!;
  return { transform, similarity, error: errorOf(subject, transform, wanted) };
}

const row = (...cells: readonly (string | number)[]) => console.log(`| ${cells.join(" | ")} |`);

describe.skipIf(!SHARED_DATA)("known motions of a real scan", () => {
  for (const [degrees, mm, slice] of [
    [3, 5, 1],
    [10, 30, 2],
    [20, 60, 3],
    [20, 75, 4],
    [15, 40, 1],
  ] as const) {
    test(`${degrees}° and ${mm} mm, slices of ${slice} mm`, async () => {
      const subject = await subjects[0]!();
      const wanted = motionOf(subject, degrees, mm);
      const [without, lesions] = [
        await found(subject, wanted, { slice }),
        await found(subject, wanted, { slice, lesions: 10 }),
      ];
      const influence = errorOf(subject, lesions.transform, without.transform);
      const cells = [without.error, lesions.error, influence].map((v) => `${v.toFixed(3)} mm`);
      row(`${degrees}°`, `${mm} mm`, `${slice} mm`, ...cells);
      expect(Math.max(without.error, lesions.error)).toBeLessThan(MOST);
      expect(influence).toBeLessThan(0.01);
    });
  }
});

/** The rotation nearest to a linear part, by Newton's iteration of the polar decomposition (Higham 1986). */
function rotationOf(m: Affine): Affine {
  let r = m.map((v, i) => (i % 4 === 3 || i > 11 ? (i === 15 ? 1 : 0) : v));
  for (let step = 0; step < 20; step++) {
    const inverse = invertAffine(r);
    const transposed = r.map((_, i) => inverse[4 * (i % 4) + Math.floor(i / 4)]!);
    r = r.map((v, i) => (v + transposed[i]!) / 2);
  }
  return r;
}

/** The rigid motion of the head that is nearest to an affine one. */
function rigidPart(m: Affine, { head }: Subject): Affine {
  const turn = rotationOf(m);
  const [to, turned] = [applyAffine(m, head.centre), applyAffine(turn, head.centre)];
  return turn.map((v, i) => (i % 4 === 3 && i < 12 ? to[(i - 3) / 4]! - turned[(i - 3) / 4]! : v));
}

/** From the world of visit 1 to that of visit 2, as published. */
function publishedMotion(patient: string): Affine {
  const [to1, to2] = [1, 2].map((study) => {
    const path = join(SHARED_DATA!, `transforms/${patient}_study${study}.txt`);
    return parseItkTransform(readFileSync(path, "utf8"), path);
  }) as [Affine, Affine];
  return multiplyAffine(to2, invertAffine(to1));
}

describe.skipIf(!SHARED_DATA)("motions of 19 patients between two visits, of real scans", () => {
  const files = SHARED_DATA ? readdirSync(join(SHARED_DATA, "transforms")).sort() : [];
  const patients = [...new Set(files.map((name) => name.split("_")[0]!))];
  test("there are 19", () => {
    expect(patients.length).toBe(19);
  });
  for (const [i, patient] of patients.entries()) {
    test(`of ${patient}`, async () => {
      const scan = i % SCANS.length;
      const slice = 1 + ((i + Math.floor(i / 4)) % 4);
      const subject = await subjects[scan]!();
      const wanted = rigidPart(publishedMotion(patient), subject);
      const { error, similarity } = await found(subject, wanted, { slice, lesions: 10 });
      const [from, to] = [subject.head.centre, applyAffine(wanted, subject.head.centre)];
      const shift = Math.hypot(...to.map((v, k) => v - from[k]!));
      row(
        ...[patient.slice(-2), `${rotationDegrees(wanted).toFixed(1)}°`, `${shift.toFixed(0)} mm`],
        ...[SCANS[scan]!.match(/patient(\d+)/)![1]!, `${slice} mm`],
        ...[`${error.toFixed(3)} mm`, similarity.toFixed(2)],
      );
      expect(error).toBeLessThan(MOST);
    });
  }
});
