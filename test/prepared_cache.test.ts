/** Prepared patients: kept on disk, and the truth of those that validate. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatherPatches } from "../kernels/volume/gather_patches";
import { Graph } from "../src/core/graph";
import { state } from "../src/core/tensor";
import { openCohort, type Patient } from "../src/data/cohort";
import { writeMask } from "../src/data/nifti_write";
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
