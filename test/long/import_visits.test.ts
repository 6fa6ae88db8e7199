/** Importers that register: made-up heads, the second visit moved by 1 mm and 1°. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { applyAffine, multiplyAffine, type Point3 } from "../../src/data/affine";
import { openCohort } from "../../src/data/cohort";
import { readMask } from "../../src/data/nifti_read";
import { writeMask, writeVolume } from "../../src/data/nifti_write";
import { makePatient } from "../../src/data/phantom/patient";
import { resampleTo } from "../../src/data/resample";
import { resampleCubicTo } from "../../src/data/resample_cubic";
import type { Affine, Mask, Volume } from "../../src/data/volume";
import { connectedComponents } from "../../src/eval/components";
import { findHead } from "../../src/register/head";
import { about, exponential, translation } from "../../src/register/rigid";
import { runDocumented } from "../cli_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-import-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A head of adult size, coarse so that it is made fast. */
const SPACING = 1.5;
const person = makePatient({ seed: 3, spacing: SPACING, fieldOfView: [160, 190, 160] }, 0)
  .visits[0] as Volume;
const head = findHead(person)!;
const turn = exponential([0.36, 0.48, 0.8, 0, 0, 0].map((v) => (v * Math.PI) / 180));
const moved = multiplyAffine(translation([0.6, -0.64, 0.48]), about(head.centre, turn));

/** A sphere: where it lies from the head's centre, and its radius, mm. */
interface Lesion {
  readonly at: Point3;
  readonly radius: number;
}

const STAYS: Lesion = { at: [22, 15, 12], radius: 5 };
const GROWS: Lesion = { at: [-22, 15, 12], radius: 4 };
const GONE: Lesion = { at: [22, -22, 12], radius: 4.5 };
const NEW: Lesion = { at: [-22, -22, 12], radius: 4.5 };

const centreOf = ({ at }: Lesion): Point3 => {
  const [x, y, z] = head.centre;
  return [x + at[0], y + at[1], z + at[2]];
};

/** A visit with lesions that are brighter than the rest, and their mask; moved where it is told to be. */
function visit(lesions: readonly Lesion[], motion?: Affine): { flair: Volume; mask: Mask } {
  const { size, affine } = person;
  const [nx, ny] = size;
  const data = person.data.slice();
  const inside = new Float32Array(data.length);
  data.forEach((_, i) => {
    const p = applyAffine(affine, [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))]);
    for (const lesion of lesions) {
      const c = centreOf(lesion);
      if (Math.hypot(p[0] - c[0], p[1] - c[1], p[2] - c[2]) > lesion.radius) continue;
      inside[i] = 1;
      data[i]! += 0.6 * head.median;
    }
  });
  const binary = (values: Float32Array): Mask => ({
    size,
    affine,
    data: Uint8Array.from(values, (v) => (v >= 0.5 ? 1 : 0)),
  });
  if (!motion) return { flair: { ...person, data }, mask: binary(inside) };
  // The head moves below a grid that stays.
  const from = { size, affine: multiplyAffine(motion, affine) };
  const flair = { size, affine, data: resampleCubicTo({ ...from, data }, person).data };
  return { flair, mask: binary(resampleTo({ ...from, data: inside }, person).data) };
}

const [first, second] = [
  visit([STAYS, GROWS, GONE]),
  visit([STAYS, { ...GROWS, radius: 7 }, NEW], moved),
];

/** The lesions of a mask as seen by visit 1: their centres (mm from the head's) and volumes (mm³). */
async function lesionsOf(
  path: string,
  toVisit1: Affine,
): Promise<{ at: Point3; volume: number }[]> {
  const mask = await readMask(path);
  const { count, voxels } = connectedComponents(mask.data, mask.size, 26);
  const [nx, ny] = mask.size;
  const world = multiplyAffine(toVisit1, mask.affine);
  return Array.from({ length: count }, (_, i) => {
    const members = voxels(i + 1);
    const sum = [0, 0, 0];
    for (const v of members) {
      const p = applyAffine(world, [v % nx, Math.floor(v / nx) % ny, Math.floor(v / (nx * ny))]);
      for (const k of [0, 1, 2] as const) sum[k]! += p[k];
    }
    const at = sum.map((s, k) => s / members.length - head.centre[k]!);
    return { at: [at[0]!, at[1]!, at[2]!], volume: members.length * SPACING ** 3 };
  });
}

function expectIs(found: { at: Point3; volume: number }[], { at, radius }: Lesion): void {
  expect(found.length).toBe(1);
  const [{ at: where, volume }] = found as [{ at: Point3; volume: number }];
  // By the nearest voxel a mask lies up to half of one off along each axis.
  for (const [k, v] of where.entries())
    expect(Math.abs(v - at[k]!)).toBeLessThan(SPACING / 2 + 0.1);
  expect(volume / ((4 / 3) * Math.PI * radius ** 3)).toBeWithin(0.8, 1.2);
}

function put(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

const dir = join(folder, "mslesseg");

beforeAll(async () => {
  for (const [name, { flair, mask }] of Object.entries({ T1: first, T2: second })) {
    await writeVolume(put(join(dir, "P1", name, `P1_${name}_FLAIR.nii.gz`)), flair);
    await writeMask(join(dir, "P1", name, `P1_${name}_MASK.nii.gz`), mask);
  }
});

test("mslesseg: the visits are registered; new found, grown not new, a resolved one", async () => {
  const out = join(folder, "cohort");
  const { code, out: text, err } = await runDocumented("import", "mslesseg", dir, out);
  expect({ code, text, err: code === 0 ? "" : err }).toEqual({
    code: 0,
    text: `1 patients written to ${out}, 0 already there\n`,
    err: "",
  });
  expect(err).toMatch(/P1_T1_T2: registration: visit 2 turned by 1\.0° and moved by 1\.\d mm/);
  expect(err).toMatch(/P1_T1_T2: lesions: 1 new, 1 resolved, grown by \d\.\d\d mL; 0 specks/);
  const [patient] = (await openCohort(out)).patients;
  const record = JSON.parse(readFileSync(join(out, "P1_T1_T2", "registration.json"), "utf8"));
  expect(record).toMatchObject({ registered: true, motion: "affine" });
  expectIs(await lesionsOf(patient!.truth, record.toVisit1), NEW);
  expectIs(await lesionsOf(patient!.resolved!, record.toVisit1), GONE);
  const grown = await lesionsOf(join(out, "P1_T1_T2", "grown.nii.gz"), record.toVisit1);
  const largest = grown.reduce((a, b) => (b.volume > a.volume ? b : a));
  // A shell about the lesion that grew; no more than a few voxels of rim elsewhere.
  expect(Math.hypot(...largest.at.map((v, k) => v - GROWS.at[k]!))).toBeLessThan(1.5);
  expect(largest.volume).toBeGreaterThan(0.8 * (4 / 3) * Math.PI * (7 ** 3 - 4 ** 3));
  const rest = grown.reduce((sum, { volume }) => sum + volume, 0) - largest.volume;
  // Each of the two masks lies up to half a voxel off: 0.31 here, 0.25 by the trilinear rule of before.
  expect(rest).toBeLessThan(0.35 * (4 / 3) * Math.PI * STAYS.radius ** 3);
}, 600_000);

test("bids: a published mask travels with its session; a pair of two people is left out", async () => {
  const [data, out] = [join(folder, "bids"), join(folder, "bids_cohort")];
  const anat = (subject: string, session: string, rest: string, below = "") =>
    put(join(data, below, subject, session, "anat", `${subject}_${session}_${rest}.nii.gz`));
  writeFileSync(put(join(data, "dataset_description.json")), '{ "Name": "Made up" }');
  const settings = { seed: 3, spacing: SPACING, fieldOfView: [160, 190, 160] as const };
  const stranger = makePatient(settings, 1).visits[0];
  const fresh = visit([NEW], moved).mask;
  for (const [subject, flair] of [
    ["sub-1", second.flair],
    ["sub-2", stranger],
  ] as const) {
    await writeVolume(anat(subject, "ses-1", "FLAIR"), first.flair);
    await writeVolume(anat(subject, "ses-2", "FLAIR"), flair);
    await writeMask(anat(subject, "ses-2", "desc-new_mask", "derivatives/raters"), fresh);
  }
  const left = await runDocumented("import", "bids", data, out);
  expect(left.out).toBe(`1 patients written to ${out}, 0 already there, 1 left out\n`);
  expect(left.err).toMatch(/sub-1_ses-1_ses-2: registration: visit 2 turned by 1\.0° and moved/);
  expect(left.err).toMatch(/sub-2_ses-1_ses-2: NOT FIT: the visits do not look like one head/);
  const { patients } = await openCohort(out);
  expect(patients.map(({ id }) => id)).toEqual(["sub-1_ses-1_ses-2"]);
  const path = join(out, "sub-1_ses-1_ses-2", "registration.json");
  const record = JSON.parse(readFileSync(path, "utf8"));
  expect(record).toMatchObject({ registered: true, motion: "rigid", lesions: "published" });
  expectIs(await lesionsOf(patients[0]!.truth, record.toVisit1), NEW);
}, 600_000);
