import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCohort } from "../src/data/cohort";
import { loadPatient } from "../src/data/patient";
import { DEFAULT_PHANTOM, ensurePhantom, writePhantom } from "../src/data/phantom/cohort";
import { hasNewLesions, makePatient, type PhantomPatient } from "../src/data/phantom/patient";
import { voxelSize } from "../src/data/volume";
import { connectedComponents } from "../src/eval/components";
import { bestDice, count, difference, emptyHistogram, smooth3 } from "./phantom_threshold";

/** The reference head on a coarse grid: a tenth of the work. */
const COARSE = { ...DEFAULT_PHANTOM, spacing: 2, patients: 5, seed: 3 };
const folder = mkdtempSync(join(tmpdir(), "voxgrad-phantom-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

function fingerprint({ visits, truth }: PhantomPatient): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const { data } of [...visits, truth]) hash.update(data);
  return hash.digest("hex");
}

describe("phantom patient", () => {
  test("the same seed and index give the same voxels, others differ", () => {
    const first = fingerprint(makePatient(COARSE, 1));
    expect(fingerprint(makePatient(COARSE, 1))).toBe(first);
    expect(fingerprint(makePatient(COARSE, 2))).not.toBe(first);
    expect(fingerprint(makePatient({ ...COARSE, seed: 4 }, 1))).not.toBe(first);
  });

  test("one in four has no new lesion, in every group of four", () => {
    for (let group = 0; group < 25; group++) {
      const positive = [0, 1, 2, 3].filter((i) => hasNewLesions(7, 4 * group + i));
      expect(positive.length, `group ${group}`).toBe(3);
    }
  });

  test("a field of view of its own gives another grid and a head that fills it", () => {
    const wide = makePatient({ seed: 0, spacing: 2, fieldOfView: [120, 140, 100] }, 0);
    expect(wide.truth.size).toEqual([60, 70, 50]);
    const { data } = wide.visits[0];
    const mean = data.reduce((a, b) => a + b, 0) / data.length;
    const bright = data.filter((value) => value > mean / 2).length / data.length;
    expect(bright).toBeGreaterThan(0.4);
    expect(bright).toBeLessThan(0.8);
  });
});

describe("phantom cohort on disk", () => {
  test("is a complete cohort of the MSSEG-2 layout with a manifest", async () => {
    const root = mkdtempSync(join(folder, "cohort-"));
    await writePhantom(root, COARSE);
    const { patients } = await openCohort(root);
    const manifest = JSON.parse(await readFile(join(root, "phantom.json"), "utf8"));
    const ids = manifest.patients.map(({ id }: { id: string }) => id);
    expect(patients.map(({ id }) => id)).toEqual(ids);
    expect(ids).toEqual(["patient001", "patient002", "patient003", "patient004", "patient005"]);
    for (const [index, patient] of patients.entries()) {
      const read = await loadPatient(patient);
      const made = makePatient(COARSE, index);
      expect(read.time1.data, patient.id).toEqual(made.visits[0].data);
      expect(read.time2.data, patient.id).toEqual(made.visits[1].data);
      expect(read.truth.data, patient.id).toEqual(made.truth.data);
      expect(voxelSize(read.time1.affine)).toEqual([2, 2, 2]);
      expect(read.truth.data.includes(1), patient.id).toBe(hasNewLesions(COARSE.seed, index));
    }
  });

  test("is made once, then found in the cache; other settings make another", async () => {
    const before = process.env.VOXGRAD_CACHE;
    process.env.VOXGRAD_CACHE = join(folder, "cache");
    try {
      const calls: string[] = [];
      const settings = { ...COARSE, patients: 2 };
      const made = await ensurePhantom(settings, (done, total) => calls.push(`${done}/${total}`));
      expect(calls).toEqual(["0/2", "1/2", "2/2"]);
      const found = await ensurePhantom(settings, () => calls.push("again"));
      expect(found).toBe(made);
      expect(calls.length).toBe(3);
      expect(await ensurePhantom({ ...settings, seed: 5 })).not.toBe(made);
    } finally {
      if (before === undefined) delete process.env.VOXGRAD_CACHE;
      else process.env.VOXGRAD_CACHE = before;
    }
  });

  test("settings out of range are named", async () => {
    for (const [settings, message] of [
      [{ patients: 0 }, "patients is 0"],
      [{ seed: -1 }, "seed is -1"],
      [{ spacing: Number.NaN }, "spacing is NaN"],
      [{ fieldOfView: [104, 128, 20] as const }, "104×128×20"],
    ] as const) {
      expect(writePhantom(folder, settings), message).rejects.toThrow(message);
    }
  });
});

describe("default phantom: rare, learnable by eye, beyond a threshold", () => {
  const patients: PhantomPatient[] = [];
  beforeAll(() => {
    for (let index = 0; index < 6; index++) patients.push(makePatient(DEFAULT_PHANTOM, index));
  });

  test("lesion voxels are as rare as the paper's", () => {
    const positive = patients.reduce((n, p) => n + p.truth.data.reduce((a, b) => a + b, 0), 0);
    const share = positive / patients.reduce((n, { truth }) => n + truth.data.length, 0);
    expect(share).toBeGreaterThan(0.00005);
    expect(share).toBeLessThan(0.0005);
  });

  test("new lesions are single pieces above 3 mm³ in white matter, absent at visit 1", () => {
    for (const [index, { truth, visits, white, newLesions }] of patients.entries()) {
      const { count: pieces, voxels } = connectedComponents(truth.data, truth.size);
      expect(pieces, `patient ${index}`).toBe(newLesions.length);
      const healthy = white[1].map((share, o) => (share > 0.99 && !truth.data[o] ? 1 : 0));
      const normal = visits.map(({ data }) => meanWhere(data, healthy));
      for (let piece = 1; piece <= pieces; piece++) {
        const name = `patient ${index}, lesion ${piece}`;
        const lesion = voxels(piece);
        expect(lesion.length, name).toBeGreaterThan(3);
        for (const o of lesion) {
          expect(white[0][o], name).toBeGreaterThanOrEqual(0.5);
          expect(white[1][o], name).toBeGreaterThanOrEqual(0.5);
        }
        const [first, second] = visits.map(
          ({ data }, v) =>
            lesion.reduce((sum, o) => sum + data[o]!, 0) / lesion.length / normal[v]!,
        ) as [number, number];
        expect(first, `${name} at visit 1`).toBeLessThan(1.3);
        expect(second / first, `${name}, visit 2 over visit 1`).toBeGreaterThan(1.2);
      }
    }
  });

  test("the best threshold of the difference stays below a Dice of 0.3", () => {
    const raw = emptyHistogram();
    const smoothed = emptyHistogram();
    let perPatient = 0;
    const positive = patients.filter(({ newLesions }) => newLesions.length > 0);
    for (const patient of patients) {
      const { data: truth, size } = patient.truth;
      const change = difference(patient);
      count(raw, change, truth);
      count(smoothed, smooth3(change, size), truth);
      if (!positive.includes(patient)) continue;
      perPatient += bestDice(count(emptyHistogram(), change, truth)) / positive.length;
    }
    expect(bestDice(raw), "one threshold for all").toBeLessThan(0.3);
    expect(bestDice(smoothed), "one threshold, 3×3×3 mean").toBeLessThan(0.3);
    expect(perPatient, "each patient's own threshold").toBeLessThan(0.3);
  });
});

function meanWhere(data: Float32Array, mask: Float32Array): number {
  let sum = 0;
  let n = 0;
  for (let o = 0; o < data.length; o++) {
    if (!mask[o]) continue;
    sum += data[o]!;
    n++;
  }
  return sum / n;
}
