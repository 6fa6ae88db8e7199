/**
 * The forms of one image that decide nothing, in training and prediction as a user runs them: the
 * stored order of its voxels, their magnitude, a few voxels that are hot.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { multiplyAffine } from "../src/data/affine";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { writePhantom } from "../src/data/phantom/cohort";
import { readSafetensors } from "../src/data/safetensors_file";
import type { Affine } from "../src/data/volume";
import { inOrder, orderTo } from "../src/data/voxel_order";
import { runDocumented } from "./cli_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-order-"));
const [plain, mixed] = [join(folder, "plain"), join(folder, "mixed")];
const sizes = ["--filters", "8,8,8", "--patch", "16", "--stride", "12", "--spacing", "1.5"];
const batches = ["--pool", "4", "--batch", "2", "--iterations", "4", "--report-every", "4"];
const training = [...sizes, ...batches, "--val", "patient001", "--tune", "off", "--seed", "3"];

/** The same patient with the voxels of every file in another order, and perhaps turned in space. */
async function store(from: string, to: string, code: string, turned?: Affine): Promise<void> {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    const isImage = name.startsWith("flair");
    const read = await (isImage ? readVolume : readMask)(join(from, name));
    const placed = turned ? { ...read, affine: multiplyAffine(turned, read.affine) } : read;
    const stored = inOrder(placed, orderTo(placed.affine, code));
    const { data } = stored;
    if (data instanceof Float32Array) await writeVolume(join(to, name), { ...stored, data });
    else await writeMask(join(to, name), { ...stored, data });
  }
}

beforeAll(async () => {
  mkdirSync(plain);
  await writePhantom(plain, { patients: 3, spacing: 2, fieldOfView: [92, 84, 80], seed: 4 });
  cpSync(plain, mixed, { recursive: true });
  for (const [id, code] of [
    ["patient002", "LAS"],
    ["patient003", "PIR"],
  ] as const) {
    await store(join(plain, id), join(mixed, id), code);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const trained = (data: string) => join(folder, `run-${data === plain ? "plain" : "mixed"}`);

test("patients in different orders train the same weights, bit for bit", async () => {
  for (const data of [plain, mixed]) {
    const { err, code } = await runDocumented(
      "train",
      "--data",
      data,
      "--out",
      trained(data),
      ...training,
    );
    expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
  }
  const [a, b] = [plain, mixed].map((data) =>
    readSafetensors(join(trained(data), "last.safetensors")),
  );
  expect(b!.tensors).toEqual(a!.tensors);
});

/** Predicts a patient; the map is brought into the order RAS. @param lines that are told meanwhile */
async function predicted(patient: string, ...lines: string[]) {
  const [out, probability] = [join(folder, "mask.nii.gz"), join(folder, "map.nii.gz")];
  const visit = (n: 1 | 2) => join(patient, `flair_time0${n}_on_middle_space.nii.gz`);
  const files = ["-t1", visit(1), "-t2", visit(2), "-o", out, "--probability", probability];
  const weights = ["-w", join(trained(plain), "last.safetensors")];
  const { err, code } = await runDocumented("predict", ...files, ...weights, "--tune", "off");
  expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
  for (const line of lines) expect(err).toContain(line);
  const [image, mask, map] = [
    await readVolume(visit(1)),
    await readMask(out),
    await readVolume(probability),
  ];
  for (const written of [mask, map]) {
    expect([written.size, written.affine], patient).toEqual([image.size, image.affine]);
  }
  const isSet = Uint8Array.from(map.data, (p) => (p >= 0.5 ? 1 : 0));
  expect(
    mask.data.every((m, i) => m <= isSet[i]!),
    patient,
  ).toBe(true);
  return inOrder(map, orderTo(map.affine, "RAS")).data;
}

const largest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, p, i) => Math.max(most, Math.abs(p - b[i]!)), 0);

test("eight orders and flips of one patient give one map, each on the grid of its file", async () => {
  const patient = join(plain, "patient001");
  const expected = await predicted(patient);
  expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(0.01);
  for (const code of ["LAS", "RPS", "RAI", "LPI", "PIR", "SPL", "ASR"]) {
    const stored = join(folder, code);
    await store(patient, stored, code);
    expect(largest(await predicted(stored), expected), code).toBeLessThan(1e-6);
  }
});

test("a head that lies oblique: the nearest axes, within the rounding of the header", async () => {
  const [c, s] = [Math.cos(0.3), Math.sin(0.3)];
  const turned: Affine = [c, -s, 0, 3, s, c, 0, -5, 0, 0, 1, 2, 0, 0, 0, 1];
  const maps: Float32Array[] = [];
  for (const code of ["RAS", "PIL"]) {
    const stored = join(folder, `turned-${code}`);
    await store(join(plain, "patient001"), stored, code, turned);
    maps.push(await predicted(stored));
  }
  expect(largest(maps[0]!, maps[1]!)).toBeLessThan(1e-4);
});

/** Stores a patient with the voxels of its scans changed. */
async function change(to: string, changed: (data: Float32Array, visit: 1 | 2) => Float32Array) {
  const from = join(plain, "patient001");
  cpSync(from, to, { recursive: true });
  for (const visit of [1, 2] as const) {
    const name = `flair_time0${visit}_on_middle_space.nii.gz`;
    const image = await readVolume(join(from, name));
    await writeVolume(join(to, name), { ...image, data: changed(image.data, visit) });
  }
}

test("a patient × 1e20 and × 1e-25 gets the same map", async () => {
  const expected = await predicted(join(plain, "patient001"));
  for (const factor of [1e20, 1e-25]) {
    const stored = join(folder, `times-${factor}`);
    await change(stored, (data) => data.map((v) => v * factor));
    expect(largest(await predicted(stored), expected), `${factor}`).toBeLessThan(1e-4);
  }
});

test("a hot voxel changes nothing but its surroundings, and a note tells it", async () => {
  const expected = await predicted(join(plain, "patient001"));
  for (const [hot, visits] of [
    [3e38, [1, 2]],
    [1e5, [2]],
  ] as const) {
    const stored = join(folder, `hot-${hot}`);
    const has = (visit: 1 | 2) => visits.some((v) => v === visit);
    await change(stored, (data, visit) => (has(visit) ? data.with(50, hot) : data));
    const lines = visits.map((v) => `flair_time0${v}_on_middle_space.nii.gz: 1 hot voxel of up to`);
    const map = await predicted(stored, ...lines);
    const apart = map.map((p, i) => Math.abs(p - expected[i]!));
    // The voxel lies in a corner: most windows do not see it.
    expect(apart.filter((d) => d > 1e-3).length / apart.length).toBeLessThan(0.2);
  }
});

test("train tells of hot voxels, of images that are constant or infinite", async () => {
  const data = join(folder, "hot-cohort");
  cpSync(plain, data, { recursive: true });
  const time2 = join(data, "patient002", "flair_time02_on_middle_space.nii.gz");
  const image = await readVolume(time2);
  const train = async (voxels: Float32Array) => {
    await writeVolume(time2, { ...image, data: voxels });
    const out = mkdtempSync(join(folder, "run-"));
    const args = ["--data", data, "--out", join(out, "run"), ...training];
    return runDocumented("train", ...args, "--iterations", "1");
  };
  const hot = await train(image.data.with(50, 3e38));
  expect(hot.code).toBe(0);
  expect(hot.err).toContain(`${time2}: 1 hot voxel of up to 3e+38`);
  const constant = await train(new Float32Array(image.data.length).fill(3e38));
  expect(constant.code).toBe(2);
  expect(constant.err).toContain(`${time2}: all voxels have the same value`);
  const infinite = await train(image.data.map((v) => v * 1e38));
  expect(infinite.code).toBe(2);
  expect(infinite.err).toMatch(/time02.*: \d+ of \d+ voxels are infinite, or pass 3\.4e38/);
});
