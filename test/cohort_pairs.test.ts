/** The pairs of a cohort, put on each other before training: images, masks, and what is kept of it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrain } from "../src/brain/brain_mask";
import {
  applyAffine,
  IDENTITY,
  invertAffine,
  multiplyAffine,
  type Point3,
} from "../src/data/affine";
import type { Patient } from "../src/data/cohort";
import { maskOfRuns, runsOf } from "../src/data/mask_runs";
import type { FromFile } from "../src/data/nifti_decode";
import { readVolume } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { makePatient } from "../src/data/phantom/patient";
import { preparePatient } from "../src/data/prepared_cache";

import { preparePair } from "../src/data/preprocess";
import { resampleCubicTo } from "../src/data/resample_cubic";
import type { Affine, Grid, Mask, Volume } from "../src/data/volume";
import { Memory } from "../src/gpu/memory";
import { rigidHalf } from "../src/register/half";
import { findHead } from "../src/register/head";
import { about, exponential, translation } from "../src/register/rigid";
import { warpTo } from "../src/register/warp";
import { CohortPairs } from "../src/run/cohort_pairs";
import { brighterIn, matchPair } from "../src/run/matched_pair";
import { visitOf } from "../src/run/placed_mask";
import { maskOnAnswer } from "../src/run/placed_pair";
import { validationPatient } from "../src/run/validate";
import { expectUserError } from "./nifti_fixture";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
const folder = mkdtempSync(join(tmpdir(), "voxgrad-pairs-"));
const cacheBefore = process.env.VOXGRAD_CACHE;
const options = { spacing: 2, normalisation: "volume", reversed: false } as const;

/** Heads of adult size, coarse so that they are made and registered fast. */
const SETTINGS = { seed: 3, spacing: 2, fieldOfView: [160, 190, 160] as const };
const [person, stranger] = [0, 1].map((index) => makePatient(SETTINGS, index).visits[0]) as [
  Volume,
  Volume,
];
const head = findHead(person)!;
const RADIUS = 9;
/** Lesions of visit 2, in the world of visit 1. */
const CENTRES = lesionCentres();
/** World of visit 1 → world of visit 2: 9° and 30 mm. */
const MOTION = multiplyAffine(
  translation([18, -19, 14]),
  about(head.centre, exponential([0.06, 0.08, 0.125, 0, 0, 0])),
);
const RAW2: Grid = {
  size: [90, 105, 70],
  affine: [1.9, 0, 0, -70, 0, 1.9, 0, -115, 0, 0, 3, -85, 0, 0, 0, 1],
};

function lesionCentres(): Point3[] {
  const { mask } = findBrain(person);
  const inside = [...mask.data.keys()].filter((i) => mask.data[i]);
  const [nx, ny] = mask.size;
  return [0.4, 0.6].map((share) => {
    const i = inside[Math.floor(share * inside.length)]!;
    return applyAffine(mask.affine, [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))]);
  });
}

/** Spheres about the centres, seen from a grid whose world a motion takes to that of visit 1. */
function lesions({ size, affine }: Grid, toVisit1: Affine): Mask {
  const place = multiplyAffine(toVisit1, affine);
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  for (let i = 0; i < data.length; i++) {
    const voxel = [i % size[0], Math.floor(i / size[0]) % size[1]] as const;
    const p = applyAffine(place, [...voxel, Math.floor(i / (size[0] * size[1]))]);
    const isIn = (c: Point3) => Math.hypot(p[0] - c[0], p[1] - c[1], p[2] - c[2]) < RADIUS;
    if (CENTRES.some(isIn)) data[i] = 1;
  }
  return { size, affine, data };
}

function dice(a: Uint8Array, b: Uint8Array): number {
  const both = a.reduce((sum, v, i) => sum + (v & b[i]!), 0);
  const sum = (v: Uint8Array) => v.reduce((total, x) => total + x, 0);
  return (2 * both) / (sum(a) + sum(b));
}

/** The head again, moved, with lesions, as another scanner wrote it. */
function visit2(image: Volume, moved: Affine, grid: Grid): Volume {
  const shown = lesions(image, IDENTITY);
  const data = image.data.map((v, i) => v + 0.6 * head.median * shown.data[i]!);
  const seen = { ...grid, affine: multiplyAffine(invertAffine(moved), grid.affine) };
  return {
    ...grid,
    data: resampleCubicTo({ ...image, data }, seen).data.map((v) => 1.15 * Math.max(0, v)),
  };
}

async function patientOf(id: string, two: Volume, truth: Mask): Promise<Patient> {
  const path = (name: string) => join(folder, id, `${name}.nii`);
  mkdirSync(join(folder, id));
  await writeVolume(path("one"), person);
  await writeVolume(path("two"), two);
  await writeMask(path("truth"), truth);
  return { id, time1: path("one"), time2: path("two"), truth: path("truth") };
}

let moved: Patient;
const said: string[] = [];
const pairsOf = (register: "auto" | "off", of = memory, bias: "auto" | "off" = "off") =>
  new CohortPairs(of, { register, bias }, { note: (line) => said.push(line) });
function inCache(kind: string): string[] {
  const path = join(folder, "cache", kind);
  return existsSync(path) ? readdirSync(path).sort() : [];
}

beforeAll(async () => {
  process.env.VOXGRAD_CACHE = join(folder, "cache");
  const truth = lesions(RAW2, invertAffine(MOTION));
  moved = await patientOf("moved", visit2(person, MOTION, RAW2), truth);
});

afterAll(() => {
  if (cacheBefore === undefined) delete process.env.VOXGRAD_CACHE;
  else process.env.VOXGRAD_CACHE = cacheBefore;
  rmSync(folder, { recursive: true });
  device.destroy();
});

test("the truth of a pair that was moved lies on its lesions, in training and in validation", async () => {
  const { place } = pairsOf("auto");
  const prepared = await preparePatient(memory, moved, { ...options, place });
  expect(prepared.notes[0]).toMatch(/^moved: registration: visit 2 turned by 9\.\d° and moved by/);
  const { visit1, visit2: seen, labels } = await prepared.load();
  const middle = invertAffine(rigidHalf(MOTION));
  const wanted = lesions(prepared.grid, middle);
  expect(dice(labels[0]!, wanted.data)).toBeGreaterThan(0.9);
  const mean = (v: Float32Array) =>
    v.reduce((sum, x, i) => sum + x * wanted.data[i]!, 0) / wanted.data.reduce((a, b) => a + b, 0);
  expect(mean(seen)).toBeGreaterThan(mean(visit1) + 0.5);

  const validated = await validationPatient(moved, prepared);
  expect(validated.truth).toMatchObject({ size: RAW2.size });
  const { grid, answer } = prepared;
  const map = { ...grid, data: Float32Array.from(labels[0]!) };
  const back = await warpTo(memory, map, answer!.motion, answer!.grid, { order: "trilinear" });
  const found = Uint8Array.from(back.data, (v) => Number(v >= 0.5));
  expect(dice(found, validated.truth.data)).toBeGreaterThan(0.9);
});

test("a second start registers nothing and computes nothing, and says the same", async () => {
  const first = await preparePatient(memory, moved, { ...options, place: pairsOf("auto").place });
  const gone = await defaultDevice();
  gone.destroy();
  const without = new Memory(gone);
  const again = pairsOf("auto", without);
  said.length = 0;
  await again.check([moved]);
  const second = await preparePatient(without, moved, { ...options, place: again.place });
  expect(said).toEqual(["registration: of 1 pairs 1 to be moved"]);
  expect(second.notes).toEqual(first.notes);
  expect(await second.load()).toEqual(await first.load());
});

test("a damaged alignment is looked for again, with a line; to the same key", async () => {
  const [name] = inCache("alignments");
  const path = join(folder, "cache", "alignments", name!);
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace('"trusted":true', '"trusted":false'));
  said.length = 0;
  await pairsOf("auto").check([moved]);
  expect(said[0]).toBe(`${path}: damaged in the cache; the pair is registered again`);
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("an aligned pair has the same volumes as without registration", async () => {
  const still = await patientOf(
    "still",
    visit2(person, IDENTITY, person),
    lesions(person, IDENTITY),
  );
  const before = inCache("prepared").length;
  const off = await preparePatient(memory, still, { ...options, place: pairsOf("off").place });
  const [headers, auto] = [
    await preparePatient(memory, still, options),
    await preparePatient(memory, still, { ...options, place: pairsOf("auto").place }),
  ];
  expect(inCache("prepared").length).toBe(before + 4); // as the headers say, and with the brain
  expect(auto.answer).toBeUndefined();
  for (const other of [headers, auto]) expect(await other.load()).toEqual(await off.load());
  const truth = (await validationPatient(still, auto)).truth;
  expect(truth.data).toEqual(lesions(person, IDENTITY).data);
});

test("training sees a pair as predict does, bit for bit: moved, and without the bias between its visits", async () => {
  const { place } = pairsOf("auto", memory, "auto");
  const prepared = await preparePatient(memory, moved, { ...options, place });
  const read = async (path: string) => ({ path, image: await readVolume(path) });
  const [one, two] = [await read(moved.time1), await read(moved.time2)];
  const placed = await matchPair(memory, one, two, { register: "auto", bias: "auto" });
  expect(placed.bias).toBeDefined();
  const brighter = brighterIn(placed)!;
  expect(maskOfRuns(prepared.allowed!)).toEqual(brighter);
  const validated = await validationPatient(moved, prepared);
  const allowed = maskOnAnswer(placed, brighter, "t2");
  expect(validated.allowed!.data).toEqual(allowed.data);
  const inside = validated.truth.data.filter((v, i) => v === 1 && allowed.data[i] === 1).length;
  expect(inside).toBeGreaterThan(0.95 * validated.truth.data.reduce((sum, v) => sum + v, 0));
  const seen = await preparePair(memory, placed.pair, [one.path, two.path], options);
  const { visit1, visit2: second } = await prepared.load();
  expect([seen.grid, seen.visit1, seen.visit2]).toEqual([prepared.grid, visit1, second]);
});

test("the bias of an aligned pair is taken out too, with and without registration the same", async () => {
  const grid: Grid = person;
  const [nx] = grid.size;
  const bright = (v: number, i: number) => v * (0.8 + (0.4 * (i % nx)) / nx);
  const two = { ...person, data: person.data.map(bright) };
  const biased = await patientOf("biased", two, lesions(person, IDENTITY));
  const load = async (register: "auto" | "off", bias: "auto" | "off") => {
    const { place } = pairsOf(register, memory, bias);
    return (await preparePatient(memory, biased, { ...options, place })).load();
  };
  const [with_, off, auto] = [
    await load("auto", "off"),
    await load("off", "auto"),
    await load("auto", "auto"),
  ];
  expect(auto).toEqual(off);
  const differ = ({ visit1, visit2: v }: typeof auto) =>
    Math.hypot(...[...visit1.keys()].filter((i) => i % 97 === 0).map((i) => visit1[i]! - v[i]!));
  expect(differ(auto)).toBeLessThan(0.5 * differ(with_));
});

test("a mask as runs is the mask again", () => {
  const grid = { size: [4, 3, 2], affine: IDENTITY } as const;
  const masks = [[], [0], [23], [0, 1, 2, 22, 23], [...Array(24).keys()], [5, 6, 7, 11]];
  for (const set of masks) {
    const data = Uint8Array.from({ length: 24 }, (_, i) => (set.includes(i) ? 1 : 0));
    expect(maskOfRuns(runsOf({ ...grid, data }))).toEqual({ ...grid, data });
  }
});

test("what is smaller than a head is prepared as its headers say, whatever the settings", async () => {
  const part = (image: Volume): Volume => {
    const size = [image.size[0], image.size[1], 40] as const;
    return { size, affine: image.affine, data: image.data.slice(0, size[0] * size[1] * 40) };
  };
  const small = part(person);
  const path = (name: string) => join(folder, `small-${name}.nii`);
  const [time1, time2, truth] = [path("one"), path("two"), path("truth")];
  await writeVolume(time1, small);
  await writeVolume(time2, { ...small, data: small.data.map((v) => 1.1 * v) });
  await writeMask(truth, lesions(small, IDENTITY));
  const patient = { id: "small", time1, time2, truth };
  await preparePatient(memory, patient, options);
  const before = inCache("prepared");
  const pairs = pairsOf("auto", memory, "auto");
  said.length = 0;
  await pairs.check([patient]);
  expect(said).toEqual(["registration: of 1 pairs 1 smaller than a head, as their headers say"]);
  await preparePatient(memory, patient, { ...options, place: pairs.place });
  expect(inCache("prepared")).toEqual(before);
});

test("pairs that are not to be trusted are refused, all in one line; --register off takes them", async () => {
  const none = lesions(person, translation([500, 0, 0]));
  // Of the same scans, so that they are registered once.
  const mixed = [
    await patientOf("mixed1", stranger, none),
    await patientOf("mixed2", stranger, none),
  ];
  said.length = 0;
  const remedy = ["move such a patient's folder away", "--register off"];
  const check = () => pairsOf("auto").check([moved, ...mixed]);
  await expectUserError("mixed", check, "mixed1, mixed2: NOT FIT", ...remedy);
  expect(
    said.filter((line) => /^mixed\d: NOT FIT: the visits do not look like/.test(line)).length,
  ).toBe(2);
  const { place } = pairsOf("auto");
  const one = () => preparePatient(memory, mixed[0]!, { ...options, place });
  await expectUserError("one", one, "mixed1: NOT FIT", ...remedy);
  await pairsOf("off").check(mixed);
  // What our generator made is not looked at.
  const origin = JSON.stringify({ patient: "p", scan: "p.nii", made: [] });
  for (const { id } of mixed) writeFileSync(join(folder, id, "synthetic.json"), origin);
  said.length = 0;
  await check();
  expect(said).toEqual(["registration: of 1 pairs 1 to be moved"]);
  for (const { id } of mixed) rmSync(join(folder, id, "synthetic.json"));
  await preparePatient(memory, mixed[0]!, { ...options, place: pairsOf("off").place });
});

test("a mask travels with the visit whose grid it has, else with the one that shows what it marks", async () => {
  const info = { geometry: "sform" } as FromFile["info"];
  const read = <T extends Grid>(path: string, image: T) => ({
    path,
    image: { ...image, info, notes: [] },
  });
  const pose = {
    toVisit1: invertAffine(rigidHalf(MOTION)),
    toVisit2: rigidHalf(MOTION),
    logScale: 0,
  };
  const [one, two] = [
    read("one.nii", person),
    read("two.nii", { ...RAW2, data: new Float32Array() }),
  ];
  const mask = (grid: Grid, shownAt: 0 | 1) => ({
    path: "mask.nii",
    mask: { ...lesions(grid, IDENTITY), info, notes: [] },
    shownAt,
  });
  for (const shownAt of [0, 1] as const) {
    expect(visitOf([one, two], pose, mask(person, shownAt))).toBe(0);
    expect(visitOf([one, two], pose, mask(RAW2, shownAt))).toBe(1);
    expect(visitOf([one, one], pose, mask(person, shownAt))).toBe(shownAt);
    const third = {
      size: [60, 70, 60],
      affine: person.affine.with(3, person.affine[3]! + 7),
    } as const;
    const apart = () => visitOf([one, two], pose, mask(third, shownAt));
    await expectUserError(
      "third",
      apart,
      "mask.nii",
      "one.nii",
      "two.nii",
      "mm apart",
      "--register off",
    );
    const near = { toVisit1: IDENTITY, toVisit2: translation([1, 1, 1]), logScale: 0 };
    expect(visitOf([one, two], near, mask(third, shownAt))).toBe(shownAt);
  }
});
