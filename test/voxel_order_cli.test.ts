/** The stored order of voxels decides nothing: training and prediction, as a user runs them. */
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

/** Predicts a patient; the map is brought into the order RAS. */
async function predicted(patient: string) {
  const [out, probability] = [join(folder, "mask.nii.gz"), join(folder, "map.nii.gz")];
  const visit = (n: 1 | 2) => join(patient, `flair_time0${n}_on_middle_space.nii.gz`);
  const files = ["-t1", visit(1), "-t2", visit(2), "-o", out, "--probability", probability];
  const weights = ["-w", join(trained(plain), "last.safetensors")];
  const { err, code } = await runDocumented("predict", ...files, ...weights, "--tune", "off");
  expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
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
