import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Philox } from "../src/core/random";
import { openCohort, type Patient, splitCohort } from "../src/data/cohort";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { loadPair, loadPatient } from "../src/data/patient";
import { personOf } from "../src/data/person";
import type { Affine, Size3 } from "../src/data/volume";
import { pairsOfFolders } from "../src/run/extra_pairs";
import { expectUserError, fixture, inTemporaryFolder, ramp } from "./nifti_fixture";

const T1 = "flair_time01_on_middle_space";
const T2 = "flair_time02_on_middle_space";
const ALL = [`${T1}.nii.gz`, `${T2}.nii.gz`, "ground_truth.nii.gz"];

async function touch(folder: string, id: string, names: readonly string[]): Promise<void> {
  await mkdir(join(folder, id), { recursive: true });
  for (const name of names) await Bun.write(join(folder, id, name), "");
}

test("a cohort: patients by id, optional files, .nii too, and what is left aside with its reason", async () => {
  await inTemporaryFolder(async (root) => {
    await touch(root, "p10", ALL);
    await touch(root, "p02", [
      ...ALL,
      "brain_mask.nii.gz",
      "resolved.nii",
      "change.nii.gz",
      "x.txt",
    ]);
    await touch(root, "p03", [`${T1}.nii`, `${T2}.nii.gz`, "ground_truth.nii"]);
    await touch(root, ".git", ALL);
    await touch(root, "figures", ["plot.png"]);
    await Bun.write(join(root, "README.md"), "");
    const { patients, notes } = await openCohort(root);
    expect(patients.map(({ id }) => id)).toEqual(["p02", "p03", "p10"]);
    expect(patients[0]).toEqual({
      id: "p02",
      time1: join(root, "p02", `${T1}.nii.gz`),
      time2: join(root, "p02", `${T2}.nii.gz`),
      truth: join(root, "p02", "ground_truth.nii.gz"),
      brainMask: join(root, "p02", "brain_mask.nii.gz"),
      resolved: join(root, "p02", "resolved.nii"),
    });
    expect(patients[1]!.time1).toBe(join(root, "p03", `${T1}.nii`));
    expect(notes).toEqual([
      `${root}: ignored .git (hidden), README.md (a file), figures (it holds plot.png); looked for ${T1}, ${T2}, ground_truth, each ` +
        ".nii.gz or .nii",
    ]);
    expect(patients[2]!.resolved).toBeUndefined();
  });
});

test("folders that are no cohort: what was found, what is expected, where to look", async () => {
  await inTemporaryFolder(async (folder) => {
    const at = (name: string) => join(folder, name);
    const open = (name: string) => () => openCohort(at(name));
    await touch(folder, "empty", []);
    await touch(folder, "files", ["a.txt", "b.txt", "c", "d", "e", "f", "g"]);
    await touch(folder, "nested/training/013", ALL);
    await touch(folder, "partial/p1", ALL);
    await touch(folder, "partial/p2", [ALL[0]!, ALL[2]!]);
    await touch(folder, "partial/p3", ["ground_truth.nii"]);
    await touch(folder, "twice/p1", [...ALL, "ground_truth.nii"]);
    const layout = ["DATA/<patient>/", T1, "ground_truth", "MSSEG-2"];
    const cases: [string, string[]][] = [
      ["absent", ["no such folder", ...layout]],
      ["files/a.txt", ["is not a folder", ...layout]],
      ["empty", ["no patient found", "it is empty", ...layout]],
      ["files", ["no patient found", "it holds a.txt, b.txt, c, d, e and 2 more", ...layout]],
      ["nested", ["no patient found", at("nested/training"), "give that folder"]],
      ["nested/training/013", ["no patient found", "give the folder above it"]],
      ["partial", [`p2 lacks ${T2}; p3 lacks ${T1} and ${T2}`, "add the files", ...layout]],
      ["twice", ["both ground_truth.nii.gz and ground_truth.nii", "keep one"]],
    ];
    for (const [name, parts] of cases) {
      await expectUserError(name, open(name), at(name), ...parts);
    }
  });
});

const people = (...ids: string[]): Patient[] =>
  ids.map((id) => ({ id, time1: "", time2: "", truth: "" }));
const ids = (patients: readonly Patient[]) => patients.map(({ id }) => id);

test("folds: each patient validates in exactly one; the seed decides, the order of files does not", () => {
  const eleven = people(..."abcdefghijk");
  const folds = [0, 1, 2, 3, 4].map((fold) => splitCohort(eleven, { folds: 5, fold, seed: 7 }));
  expect(folds.flatMap(({ val }) => ids(val)).sort()).toEqual(ids(eleven));
  for (const { train, val } of folds) {
    expect(ids([...train, ...val]).sort()).toEqual(ids(eleven));
    expect([2, 3]).toContain(val.length);
  }
  const shuffled = splitCohort([...eleven].reverse(), { folds: 5, fold: 0, seed: 7 });
  expect(ids(shuffled.val).sort()).toEqual(ids(folds[0]!.val).sort());
  const seeds = [1, 2, 3, 4].map((seed) => ids(splitCohort(eleven, { seed }).val).join());
  expect(new Set(seeds).size, `one split for all seeds: ${seeds}`).toBeGreaterThan(1);
  const forty = splitCohort(people(...Array.from({ length: 40 }, (_, i) => `${i}`)), { seed: 1 });
  expect([forty.train.length, forty.val.length], "the paper's sizes").toEqual([30, 10]);
  expect(splitCohort(people("a", "b"), { seed: 1 }).val.length).toBe(1);
});

test("chosen validation patients, and options that cannot be met", async () => {
  const four = people("a", "b", "c", "d");
  const split = splitCohort(four, { val: ["d", "b", "b"], seed: 1 });
  expect([ids(split.train), ids(split.val)]).toEqual([
    ["a", "c"],
    ["b", "d"],
  ]);
  const fails = (options: object, ...parts: string[]) =>
    expectUserError(
      JSON.stringify(options),
      () => splitCohort(four, { seed: 1, ...options }),
      ...parts,
    );
  await fails({ val: ["a", "x", "y"] }, "--val: no patient x, y", "there are a, b, c, d");
  await fails({ val: [] }, "no patient to validate", "a, b, c, d");
  await fails({ val: ["a", "b", "c", "d"] }, "no patient to train", "a, b, c, d");
  await fails({ val: ["a"], folds: 2 }, "--val excludes --folds", "not both");
  await fails({ folds: 5 }, "--folds 5", "from 2 to 4");
  await fails({ folds: 1 }, "--folds 1", "from 2 to 4");
  await fails({ folds: 2.5 }, "--folds 2.5", "whole number");
  await fails({ folds: 2, fold: 2 }, "--fold 2", "from 0 to 1");
  await fails({ fold: -1 }, "--fold -1", "from 0 to 3");
  const one = () => splitCohort(people("a"), { seed: 1 });
  await expectUserError("one patient", one, "cannot split 1 patient", "add patients");
});

test("pairs of one person stay together: by the file person.txt, else by the names of two visits", async () => {
  const pairs = [
    ...people("P1_T1_T2", "P1_T2_T3", "P2_T1_T2", "sub-7_ses-1_ses-2", "sub-7_ses-2_ses-10", "old"),
    ...people("a1", "a2", "a3").map((each) => ({ ...each, person: "anna" })),
  ];
  expect(pairs.map(personOf)).toEqual([
    "P1",
    "P1",
    "P2",
    "sub-7",
    "sub-7",
    "old",
    "anna",
    "anna",
    "anna",
  ]);
  for (const seed of [1, 2, 3]) {
    for (const fold of [0, 1, 2]) {
      const { train, val } = splitCohort(pairs, { folds: 3, fold, seed });
      expect(train.length + val.length).toBe(pairs.length);
      const sides = [train, val].map((arm) => new Set(arm.map(personOf)));
      expect([...sides[0]!].filter((person) => sides[1]!.has(person))).toEqual([]);
    }
  }
  const split = (options: object) => splitCohort(pairs, { seed: 1, ...options });
  expect(ids(split({ val: ["anna", "P1"] }).val)).toEqual([
    "P1_T1_T2",
    "P1_T2_T3",
    "a1",
    "a2",
    "a3",
  ]);
  const part = () => split({ val: ["P1_T2_T3"] });
  const remedy = "name all of them, or the person (--val P1)";
  await expectUserError("part", part, "--val P1_T2_T3: of person P1, as is P1_T1_T2", remedy);
  await expectUserError("folds", () => split({ folds: 6 }), "--folds 6", "from 2 to 5");
  const anna = () => splitCohort(pairs.slice(6), { seed: 1 });
  await expectUserError("one person", anna, "3 pairs of one person (anna)", "add patients");
});

test("person.txt names the person, and the cohort says whose pairs belong together", async () => {
  await inTemporaryFolder(async (root) => {
    for (const id of ["x", "y", "z"]) await touch(root, id, ALL);
    for (const id of ["x", "y"])
      await Bun.write(join(root, id, "person.txt"), "Zoé\n".normalize("NFD"));
    const { patients, notes } = await openCohort(root);
    expect(patients.map(personOf)).toEqual(["Zoé", "Zoé", "z"]);
    expect(notes).toEqual([
      `${root}: 3 pairs of 2 persons; those of one person (Zoé) stay on one side of a split`,
    ]);
    const path = join(root, "x", "person.txt");
    for (const [text, found] of [
      ["\n", "nothing"],
      ["a\nb\n", "2 lines"],
    ] as const) {
      await Bun.write(path, text);
      await expectUserError(
        found,
        () => openCohort(root),
        `${path}: holds ${found}`,
        "on one line",
      );
    }
  });
});

test("folders that only train: pairs of persons that validate, and what is made of them, are left out", async () => {
  await inTemporaryFolder(async (root) => {
    const arms = { train: people("P1_T1_T2", "q"), val: people("P2_T1_T2") };
    const synthetic = async (id: string, patient: string, shapes: string[]) => {
      await touch(root, id, ALL);
      const lesion = { fate: "new", region: "deep", volume: 30 };
      const made = shapes.map((shapeOf) => ({ ...lesion, shapeOf }));
      const origin = JSON.stringify({ patient, scan: "flair.nii.gz", made });
      await Bun.write(join(root, id, "synthetic.json"), origin);
    };
    for (const id of ["P1_T2_T3", "P2_T2_T3", "P2", "r", "s"]) await touch(root, id, ALL);
    await Bun.write(join(root, "s", "person.txt"), "P2");
    await synthetic("s1", "q", ["P1_T1_T2"]);
    await synthetic("s2", "P2_T2_T3", ["q"]);
    await synthetic("s3", "q", ["P1_T1_T2", "P2_T1_T2"]);
    const said: string[] = [];
    const observer = { note: (line: string) => said.push(line) };
    const kept = await pairsOfFolders([root], arms, observer);
    expect(ids(kept)).toEqual(["P1_T2_T3", "r", "s1"]);
    expect(said.at(-1)).toContain("3 more pairs that only train; 5 left out");
  });
});

const SIZE: Size3 = [6, 5, 4];
const AFFINE: Affine = [-0.75, 0, 0, 30, 0, -0.75, 0, 40, 0, 0, 3, -50, 0, 0, 0, 1];

/** A patient on disk: random visits and a mask with 14 voxels, each part replaceable. */
async function patientIn(
  folder: string,
): Promise<Patient & { images: Float32Array[]; bits: Uint8Array }> {
  const random = new Philox(9);
  const images = [1, 2].map(() => Float32Array.from({ length: 120 }, () => 100 * random.uniform()));
  const bits = Uint8Array.from({ length: 120 }, (_, i) => +(i % 9 === 2));
  const [time1, time2, truth] = ALL.map((name) => join(folder, name)) as [string, string, string];
  await writeVolume(time1, { size: SIZE, affine: AFFINE, data: images[0]! });
  await writeVolume(time2, { size: SIZE, affine: AFFINE, data: images[1]! });
  await writeMask(truth, { size: SIZE, affine: AFFINE, data: bits });
  return { id: "p", time1, time2, truth, images, bits };
}

/** The same image with its first axis stored the other way round. */
function mirrored<T extends Float32Array | Uint8Array>(data: T): { affine: Affine; data: T } {
  const copy = data.slice() as T;
  for (let i = 0; i < data.length; i++) copy[i] = data[i - 2 * (i % 6) + 5]!;
  return { affine: AFFINE.with(0, 0.75).with(3, 30 - 5 * 0.75), data: copy };
}

test("a patient on one grid is read as it is, without a note", async () => {
  await inTemporaryFolder(async (folder) => {
    const patient = await patientIn(folder);
    const brainMask = join(folder, "brain_mask.nii");
    await writeMask(brainMask, { size: SIZE, affine: AFFINE, data: new Uint8Array(120).fill(1) });
    const read = await loadPatient({ ...patient, brainMask });
    expect([read.time1.data, read.time2.data]).toEqual(patient.images);
    expect(read.truth.data).toEqual(patient.bits);
    expect(read.brainMask!.data).toEqual(new Uint8Array(120).fill(1));
    expect([read.id, read.notes]).toEqual(["p", []]);
    expect("brainMask" in (await loadPatient(patient))).toBe(false);
  });
});

test("another order of the same voxels is undone bit for bit, and said", async () => {
  await inTemporaryFolder(async (folder) => {
    const patient = await patientIn(folder);
    await writeVolume(patient.time2, { size: SIZE, ...mirrored(patient.images[1]!) });
    await writeMask(patient.truth, { size: SIZE, ...mirrored(patient.bits) });
    const { time2, truth, notes } = await loadPatient(patient);
    expect(time2.data).toEqual(patient.images[1]!);
    expect(truth.data).toEqual(patient.bits);
    expect(time2.affine).toEqual([...Float32Array.from(AFFINE)]);
    const stored = (path: string) =>
      `${path}: its voxels are stored in the order RPS, those of ${patient.time1} in the order LPS: ` +
      "reordered, without interpolation";
    expect(notes).toEqual([stored(patient.time2), stored(patient.truth)]);
  });
});

test("one image given twice is noticed in another order too", async () => {
  await inTemporaryFolder(async (folder) => {
    const patient = await patientIn(folder);
    await writeVolume(patient.time2, { size: SIZE, ...mirrored(patient.images[0]!) });
    const { notes } = await loadPair(patient.time1, patient.time2);
    expect(notes.length).toBe(2);
    expect(notes[1]).toContain("holds the same voxels");
  });
});

test("another order and another place: resampled, with the distance between the corners", async () => {
  await inTemporaryFolder(async (folder) => {
    const patient = await patientIn(folder);
    const { affine, data } = mirrored(patient.images[1]!);
    const moved = affine.map((value, i) => (i === 7 ? value + 0.06 : value));
    await writeVolume(patient.time2, { size: SIZE, affine: moved, data });
    const { notes } = await loadPair(patient.time1, patient.time2);
    expect(notes.length).toBe(1);
    expect(notes[0]).toContain(`${patient.time2}: 6×5×4 voxels of 0.75×0.75×3 mm, RPS`);
    expect(notes[0]).toContain("LPS, corners up to 0.06 mm apart): resampled to it by header");
  });
});

test("a visit that covers less: 0 beyond its field of view, with the share", async () => {
  await inTemporaryFolder(async (folder) => {
    const patient = await patientIn(folder);
    const data = patient.images[1]!.slice(0, 90);
    await writeVolume(patient.time2, { size: [6, 5, 3], affine: AFFINE, data });
    const { time2, notes } = await loadPair(patient.time1, patient.time2);
    expect([...time2.data]).toEqual([...data, ...Array(30).fill(0)]);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain("25 % lies outside it and is 0 (trilinear)");
  });
});

test("grids that differ and cannot be brought together", async () => {
  await inTemporaryFolder(async (folder) => {
    const patient = await patientIn(folder);
    const identity: Affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    const pair = () => loadPair(patient.time1, patient.time2);
    const both = [patient.time1, patient.time2, "6×5×4 voxels of 0.75×0.75×3 mm, LPS"];
    const remedy = ["no position in space", "fslcpgeom"];
    const small = patient.images[1]!.slice(0, 90);
    await writeVolume(patient.time2, { size: [6, 5, 3], affine: identity, data: small });
    await expectUserError("identity", pair, ...both, "6×5×3 voxels of 1×1×1 mm", ...remedy);
    await Bun.write(patient.time2, fixture({ values: ramp(24) }));
    await expectUserError("no geometry", pair, ...both, "2×3×4", ...remedy);
    const far = AFFINE.with(3, 500);
    await writeVolume(patient.time2, { size: SIZE, affine: far, data: patient.images[1]! });
    await expectUserError("far", pair, patient.time2, "does not overlap", patient.time1, "check");
    await writeVolume(patient.time2, { size: SIZE, affine: AFFINE, data: patient.images[1]! });
    await writeMask(patient.truth, { size: SIZE, affine: identity, data: patient.bits });
    await expectUserError("mask", () => loadPatient(patient), patient.truth, ...remedy);
  });
});

test("notes of the files reach the user, and two equal visits are told", async () => {
  await inTemporaryFolder(async (folder) => {
    const patient = await patientIn(folder);
    const data = patient.images[0]!.with(7, Number.NaN);
    await writeVolume(patient.time2, { size: SIZE, affine: AFFINE, data });
    const { notes } = await loadPair(patient.time1, patient.time2);
    expect(notes).toEqual([`${patient.time2}: 1 voxels are NaN or infinite, set to 0`]);
    const inMicrometres = AFFINE.slice(0, 12).map((value) => value * 1000);
    const values = [...patient.bits];
    const mask = fixture({ dims: [3, ...SIZE], sform: inMicrometres, units: 3, values });
    await Bun.write(patient.truth, mask);
    const { notes: all } = await loadPatient(patient);
    expect(all).toEqual([
      ...notes,
      `${patient.truth}: its geometry is in micrometres, converted to mm`,
    ]);
    const twice = await loadPair(patient.time1, patient.time1);
    expect(twice.notes[0]).toContain("the two visits are one image");
    await writeMask(patient.truth, { size: SIZE, affine: AFFINE, data: patient.bits });
    const once = { ...patient, time2: patient.time1 };
    const refused = ["holds the same voxels", "marks new lesions", "give the other visit"];
    await expectUserError("one image", () => loadPatient(once), patient.id, ...refused);
    const none = patient.bits.map(() => 0);
    await writeMask(patient.truth, { size: SIZE, affine: AFFINE, data: none });
    expect((await loadPatient(once)).notes[0]).toContain("the two visits are one image");
  });
});

const DATA = [process.env.VOXGRAD_DATA, join(dirname(import.meta.dir), "..", "shared", "data")]
  .filter((folder) => folder !== undefined)
  .map((folder) => join(folder, "longitudinal"))
  .find((folder) => existsSync(folder));
if (!DATA)
  console.log("cohort: real FLAIR pairs not found (set VOXGRAD_DATA); their test is skipped");

test.skipIf(!DATA)("real pairs: three patients, one grid each", async () => {
  const { patients } = await openCohort(DATA!);
  expect(ids(patients)).toEqual(["patient01", "patient03", "patient19"]);
  const sizes = { patient01: "325×334×53", patient03: "333×361×66", patient19: "328×336×53" };
  for (const patient of patients) {
    const { time1, time2, truth, notes } = await loadPatient(patient);
    expect(notes, patient.id).toEqual([]);
    expect(time1.size.join("×")).toBe(sizes[patient.id as keyof typeof sizes]);
    const positive = truth.data.reduce((sum, value) => sum + value, 0);
    expect(positive / truth.data.length, patient.id).toBeLessThan(0.005);
    expect(positive, patient.id).toBeGreaterThan(0);
    expect(time2.data.some((value) => value > 0)).toBe(true);
  }
});
