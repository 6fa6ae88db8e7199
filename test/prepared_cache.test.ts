/** Prepared patients: kept on disk, and the truth of those that validate. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatherPatches } from "../kernels/volume/gather_patches";
import { Graph } from "../src/core/graph";
import { state } from "../src/core/tensor";
import { openCohort, type Patient } from "../src/data/cohort";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { loadPatient } from "../src/data/patient";
import { writePhantom } from "../src/data/phantom/cohort";
import { preparePatient } from "../src/data/prepared_cache";
import { preparePair } from "../src/data/preprocess";
import { VolumeStore } from "../src/data/volume_store";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { validationPatient } from "../src/run/validate";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
const folder = mkdtempSync(join(tmpdir(), "voxgrad-prepared-"));
const options = { spacing: 1.5, normalisation: "volume", reversed: false } as const;
const cacheBefore = process.env.VOXGRAD_CACHE;
let patient: Patient;
const modeOf = (path: string) => statSync(path).mode & 0o777;

beforeAll(async () => {
  process.env.VOXGRAD_CACHE = join(folder, "cache");
  const data = join(folder, "data");
  mkdirSync(data);
  await writePhantom(data, { patients: 1, spacing: 2, fieldOfView: [80, 80, 80], seed: 3 });
  patient = (await openCohort(data)).patients[0]!;
});

afterAll(() => {
  if (cacheBefore === undefined) delete process.env.VOXGRAD_CACHE;
  else process.env.VOXGRAD_CACHE = cacheBefore;
  rmSync(folder, { recursive: true });
  device.destroy();
});

test("a patient is prepared once; the cache gives the same voxels", async () => {
  const first = await preparePatient(memory, patient, options);
  const files = readdirSync(join(folder, "cache", "prepared"));
  expect(files.length).toBe(2);
  const again = await preparePatient(memory, patient, options);
  expect(readdirSync(join(folder, "cache", "prepared"))).toEqual(files);
  const images = await loadPatient(patient);
  const made = await preparePair(memory, images, ["1", "2"], options);
  for (const prepared of [first, again]) {
    expect(prepared.grid).toEqual(made.grid);
    expect(prepared.native).toEqual({ size: images.time1.size, affine: images.time1.affine });
    const { visit1, visit2, labels } = await prepared.load();
    expect(visit1).toEqual(made.visit1);
    expect(visit2).toEqual(made.visit2);
    const set = [...labels[0]!.keys()].filter((i) => labels[0]![i]);
    expect([...prepared.lesions[0]!]).toEqual(set);
    expect(set.length).toBeGreaterThan(0);
  }
});

test("patients' scans are their owner's alone, also in a cache that was open before", async () => {
  const cache = join(folder, "cache", "prepared");
  const modes = () => [cache, ...readdirSync(cache).map((name) => join(cache, name))].map(modeOf);
  await preparePatient(memory, patient, options);
  expect(modes()).toEqual([0o700, 0o600, 0o600]);
  chmodSync(cache, 0o755);
  await preparePatient(memory, patient, options);
  expect(modeOf(cache)).toBe(0o700);
});

describe("a damaged entry is made again, with a line", () => {
  const prepared = () => join(folder, "cache", "prepared");
  const pathOf = (end: string) =>
    join(prepared(), readdirSync(prepared()).find((name) => name.endsWith(end))!);
  const prepareNoting = async () => {
    const lines: string[] = [];
    const found = await preparePatient(memory, patient, options, (line) => lines.push(line));
    return { found, lines };
  };
  const flip = (path: string, byte: number) => {
    const bytes = readFileSync(path);
    bytes[byte]! ^= 1;
    writeFileSync(path, bytes);
  };
  type Stored = { header: { grid: { size: number[] }; lesions: number[][]; extra?: number } };
  const edit = (change: (stored: Stored) => void) => () => {
    const stored = JSON.parse(readFileSync(pathOf(".json"), "utf8"));
    change(stored);
    writeFileSync(pathOf(".json"), JSON.stringify(stored));
  };

  test.each<[string, () => void]>([
    ["not JSON", () => writeFileSync(pathOf(".json"), "{")],
    ["an empty header", () => writeFileSync(pathOf(".json"), "")],
    ["null", () => writeFileSync(pathOf(".json"), "null")],
    ["voxels cut off", () => truncateSync(pathOf(".bin"), 1000)],
    ["voxels gone", () => rmSync(pathOf(".bin"))],
    [
      "another size of as many voxels",
      edit(({ header: { grid } }) => {
        grid.size = [grid.size.reduce((a, b) => a * b), 1, 1];
      }),
    ],
    ["a lesion beyond the grid", edit(({ header }) => header.lesions[0]!.push(1e9))],
    ["a lesion moved", edit(({ header }) => header.lesions[0]![0]!++)],
    ["an unknown field", edit(({ header }) => Object.assign(header, { extra: 1 }))],
  ])("the header: %s", async (_, damage) => {
    const before = await (await prepareNoting()).found.load();
    damage();
    const { found, lines } = await prepareNoting();
    expect(lines.length).toBe(1);
    expect(lines[0]).toMatch(/prepared\/\w+\.bin: damaged in the cache; it is made again/);
    expect(await found.load()).toEqual(before);
    expect((await prepareNoting()).lines).toEqual([]);
  });

  test("a bit of the voxels: found where they are read, once", async () => {
    const before = await (await prepareNoting()).found.load();
    for (const where of [0, 0.3, 0.7, 0.999]) {
      flip(pathOf(".bin"), Math.floor(where * statSync(pathOf(".bin")).size));
      const { found, lines } = await prepareNoting();
      expect(lines).toEqual([]);
      expect(await found.load()).toEqual(before);
      expect(lines[0]).toMatch(/\.bin: damaged in the cache, or gone; it is made again/);
      expect(await found.load()).toEqual(before);
      expect(lines.length).toBe(1);
    }
  });

  test("voxels that go while a training runs are made again; other images end it", async () => {
    const { found, lines } = await prepareNoting();
    const before = await found.load();
    rmSync(pathOf(".bin"));
    expect(await found.load()).toEqual(before);
    expect(lines.length).toBe(1);
    const image = readFileSync(patient.time2);
    const { truth } = await loadPatient(patient);
    await writeVolume(patient.time2, {
      ...truth,
      data: Float32Array.from(truth.data, (v) => v + 1),
    });
    rmSync(pathOf(".bin"));
    await expect(found.load()).rejects.toThrow(/images have changed since the start/);
    writeFileSync(patient.time2, image);
  });
});

test("notes name the files of this run, not of the one that filled the cache", async () => {
  const moved = join(folder, "renamed");
  const { truth } = await loadPatient(patient);
  const odd = { ...patient, truth: join(folder, "odd.nii.gz") };
  const affine = truth.affine.map((v, i) => (i === 3 ? v + 2 : v));
  await writeMask(odd.truth, { ...truth, affine });
  const first = await preparePatient(memory, odd, options);
  expect(first.notes.join("\n")).toContain(odd.truth);
  mkdirSync(moved);
  const copy = { ...odd };
  for (const name of ["time1", "time2", "truth"] as const) {
    copy[name] = join(moved, `${name}.nii.gz`);
    copyFileSync(odd[name], copy[name]);
  }
  const again = await preparePatient(memory, copy, options);
  const notes = again.notes.join("\n");
  for (const name of ["time1", "truth"] as const) {
    expect(notes).toContain(copy[name]);
    expect(notes).not.toContain(odd[name]);
  }
  expect(notes).not.toContain("{{");
});

test("the truth of a validation patient is on the grid of visit 1, whatever its own", async () => {
  const prepared = await preparePatient(memory, patient, options);
  const { truth } = await loadPatient(patient);
  expect((await validationPatient(patient, prepared)).truth).toMatchObject({
    size: truth.size,
    affine: truth.affine,
    data: truth.data,
  });
  const shifted = truth.affine.map((v, i) => (i === 3 ? v + 4 : v));
  const moved = { ...patient, truth: join(folder, "moved.nii.gz") };
  await writeMask(moved.truth, { ...truth, affine: shifted });
  const expected = (await loadPatient(moved)).truth;
  const found = (await validationPatient(moved, prepared)).truth;
  expect(found.affine).toEqual(prepared.native.affine);
  expect(found.data).toEqual(expected.data);
  expect(found.data).not.toEqual(truth.data);
});

test("the time-swapped twin: visits change places, what is resolved is its label", async () => {
  const { truth } = await loadPatient(patient);
  const resolved = join(folder, "resolved.nii.gz");
  // On a grid of its own, as a truth may be too.
  const gone = truth.data.map((_, i) => (i % 1013 < 3 ? 1 : 0));
  const shifted = truth.affine.map((v, i) => (i === 3 ? v + 2 : v));
  await writeMask(resolved, { ...truth, affine: shifted, data: gone });
  const pair = { ...patient, resolved };
  const prepared = await preparePatient(memory, pair, { ...options, reversed: true });
  expect(prepared.notes.join()).toContain("resolved.nii.gz");
  const { visit1, visit2, labels } = await prepared.load();
  expect(labels.length).toBe(2);
  expect([...prepared.lesions[1]!]).toEqual([...labels[1]!.keys()].filter((i) => labels[1]![i]));
  for (const half of [false, true]) {
    const size = prepared.size.toReversed() as [number, number, number];
    const store = VolumeStore.create(memory, [prepared], { half, budget: 2 ** 28, patch: 8 });
    await store.rotateTo(0);
    expect(store.resident.map(({ id }) => id)).toEqual([patient.id, `${patient.id}-reversed`]);
    const coords = state("coords", [2, 4], "u32");
    memory.write(coords, Uint32Array.of(0, 0, 0, 0, 1, 0, 0, 0));
    const g = new Graph(capabilities(device));
    const inputs = { ...store.bindings, coords };
    const { x, y } = g.apply(gatherPatches, inputs, { size, half, label: true });
    const program = await Program.compile(memory, g, "twins", [x!, y!]);
    program.run();
    const values = await memory.readF32(x!, program.bufferOf(x!));
    const marks = await memory.readF32(y!, program.bufferOf(y!));
    const part = (i: number) => values.subarray(i * visit1.length, (i + 1) * visit1.length);
    const stored = (v: Float32Array) => (half ? v.map(Math.f16round) : v);
    const order = [visit1, visit2, visit2, visit1];
    for (const [i, v] of order.entries()) expect(part(i)).toEqual(stored(v));
    expect(marks).toEqual(Float32Array.of(...labels[0]!, ...labels[1]!));
    store.release();
  }
});
