/** `bun run weights calibrate`, of a run and by maps, and the predictions of what it made. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readVolume } from "../src/data/nifti_read";
import { writeVolume } from "../src/data/nifti_write";
import { readSafetensors, writeSafetensors } from "../src/data/safetensors_file";
import {
  type Calibration,
  calibrationMetadata,
  storedCalibration,
} from "../src/decision/calibration";
import { calibrated } from "../src/decision/map_calibration";
import { storedSweeps } from "../src/decision/stored_decision";
import { expectRefusal, runDocumented, succeed } from "./cli_rig";
import { writeCohort } from "./faults/cohort";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-calibrate-"));
const data = join(folder, "data");
const run = join(folder, "run");
const weights = join(run, "best.safetensors");
const visit = (id: string, n: number) => join(data, id, `flair_time0${n}_on_middle_space.nii.gz`);
const pair = (id: string) => ["-t1", visit(id, 1), "-t2", visit(id, 2), "--tune", "off"];
const stored = (path: string) => storedCalibration(readSafetensors(path).metadata, path);

beforeAll(async () => {
  await writeCohort(data, 5, [3]);
  const network = ["--filters", "4,8,8", "--groups", "4", "--patch", "16", "--stride", "12"];
  const pace = ["--iterations", "60", "--validate-every", "0.5", "--learning-rate", "0.01"];
  const batch = ["--pool", "4", "--batch", "2", "--tune", "off", "--val", "p01,p02,p03"];
  await succeed("train", "--data", data, "--out", run, ...network, ...pace, ...batch);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a run is calibrated on its validation patients; its tensors stay", async () => {
  const before = readSafetensors(weights);
  expect(stored(weights)).toBeUndefined();
  const { out, err } = await runDocumented("weights", "calibrate", run);
  expect(out).toMatch(/^3 left-out patients\nvoxels: (none|temperature|isotonic); each patient by/);
  expect(out).toMatch(/sensitive: 0\.\d+ or more, above \d+ mm³; found \d of 2 lesions, \d+ false/);
  expect(err).toMatch(/best\.safetensors: written/);
  const after = readSafetensors(weights);
  expect(after.tensors).toEqual(before.tensors);
  expect(after.metadata).toMatchObject(before.metadata);
  expect(stored(weights)!.patients).toBe(3);
});

test("by maps: the calibration and the thresholds are those of the maps", async () => {
  const [maps, file] = [join(folder, "maps"), join(folder, "copy.safetensors")];
  mkdirSync(maps);
  cpSync(weights, file);
  for (const [i, id] of ["p01", "p02", "p04"].entries()) {
    const truth = await readVolume(join(data, id, "ground_truth.nii.gz"));
    // Probability 0.6 in the lesion and beside it: a third of these voxels are none.
    const map = truth.data.map((v, k) => (v || truth.data[k - 3 - i] ? 0.6 : 0));
    await writeVolume(join(maps, `${id}.nii.gz`), { ...truth, data: map });
  }
  const more = ["--maps", maps, "--references", data];
  const { out } = await succeed("weights", "calibrate", file, ...more);
  expect(out).toMatch(/^3 left-out patients/);
  const { metadata } = readSafetensors(file);
  expect(stored(file)!.patients).toBe(3);
  expect(storedSweeps(metadata, file)!.map(({ lesions }) => lesions)).toEqual([1, 1, 1]);
  expect(stored(file)!.points!.default.found).toEqual({ right: 3, of: 3 });
  const places = join(folder, "places");
  mkdirSync(places);
  const allow = async (id: string, value: number) => {
    const truth = await readVolume(join(data, id, "ground_truth.nii.gz"));
    const own = { ...truth, data: new Float32Array(truth.data.length).fill(value) };
    await writeVolume(join(places, `${id}.nii.gz`), own);
  };
  for (const [id, value] of [
    ["p01", 1],
    ["p02", 0],
  ] as const)
    await allow(id, value);
  const within = [...more, "--allowed", places];
  await expectRefusal(/no mask of p04, which has a map/, "weights", "calibrate", file, ...within);
  await allow("p04", 1);
  await succeed("weights", "calibrate", file, ...within);
  expect(stored(file)!.points!.default.found).toEqual({ right: 2, of: 3 });
  // A pair without change, marked where p01 has its lesion.
  const unchanged = join(folder, "unchanged");
  for (const part of ["maps", "references", "allowed"]) {
    mkdirSync(join(unchanged, part), { recursive: true });
    const truth = await readVolume(join(data, "p01", "ground_truth.nii.gz"));
    const value = { maps: 0.6, references: 0, allowed: 1 }[part]!;
    const own = { ...truth, data: truth.data.map((v) => (part === "maps" ? v * value : value)) };
    await writeVolume(join(unchanged, part, "pair_1.nii.gz"), own);
  }
  const before = stored(file)!;
  await succeed("weights", "calibrate", file, ...within, "--unchanged", unchanged);
  const { points, ...others } = stored(file)!;
  expect({ ...others, points: undefined }).toEqual({ ...before, points: undefined });
  expect(points!.default).toEqual(before.points!.default);
  cpSync(join(data, "p01", "ground_truth.nii.gz"), join(unchanged, "references", "pair_1.nii.gz"));
  const withLesion = [...within, "--unchanged", unchanged];
  const odd = /pair_1\.nii\.gz: has a lesion; expected pairs without change/;
  await expectRefusal(odd, "weights", "calibrate", file, ...withLesion);
});

test("predict takes an operating point, and says of what kind its probabilities are", async () => {
  const [mask, report] = [join(folder, "o.nii.gz"), join(folder, "r.json")];
  const out = ["-o", mask, "--report", report];
  const named = ["--weights", weights, "--operating-point", "sensitive"];
  const { err } = await succeed("predict", ...pair("p01"), ...out, ...named);
  const { threshold, found } = stored(weights)!.points!.sensitive;
  expect(err).toMatch(
    /\(sensitive\); on 3 left-out patients this point found \d of 2 lesions, with/,
  );
  expect(err).toMatch(/calibrated on 3 left-out patients: /);
  expect(found.of).toBe(2);
  const told = JSON.parse(readFileSync(report, "utf8"));
  expect(told.operatingPoint).toBe("sensitive");
  if (!stored(weights)!.map) expect(told.lesionRule.threshold).toBeCloseTo(threshold, 3);
  expect(told.lesions[0]).toMatchObject({ maxProbability: expect.any(Number) });
});

test("the map that predict writes is calibrated, its mask is not changed by that", async () => {
  const [plain, warm] = ["plain", "warm"].map((name) => join(folder, name)) as [string, string];
  const found = readSafetensors(join(run, "last.safetensors"));
  const calibration: Calibration = { patients: 2, map: { kind: "temperature", temperature: 2 } };
  const metadata = { ...found.metadata, ...calibrationMetadata(calibration) };
  writeSafetensors({ path: `${plain}.safetensors`, ...found });
  writeSafetensors({ path: `${warm}.safetensors`, ...found, metadata });
  for (const name of [plain, warm]) {
    const out = ["-o", `${name}.nii.gz`, "--probability", `${name}_map.nii.gz`];
    await succeed("predict", ...pair("p01"), ...out, "--weights", `${name}.safetensors`);
  }
  const [own, shown] = await Promise.all(
    [plain, warm].map(async (name) => (await readVolume(`${name}_map.nii.gz`)).data),
  );
  const off = own!.map((p, i) => Math.abs(shown![i]! - calibrated(p, calibration.map)));
  expect(Math.max(...off)).toBeLessThan(1e-5);
  expect(Math.max(...own!)).toBeGreaterThan(0.6);
  const [a, b] = await Promise.all([plain, warm].map((name) => readVolume(`${name}.nii.gz`)));
  expect(a!.data).toEqual(b!.data);
});

test("without calibration a lesion has a score, and there is no operating point", async () => {
  const last = ["--weights", join(run, "last.safetensors"), "-o", join(folder, "o.nii.gz")];
  const { out, err } = await succeed("predict", ...pair("p01"), ...last);
  expect(err).toMatch(
    /the weights are not calibrated: a lesion has a score, which is no probability/,
  );
  expect(out).not.toMatch(/probability +right/);
  const point = ["--operating-point", "few-false-alarms"];
  await expectRefusal(/the weights hold none/, "predict", ...pair("p01"), ...last, ...point);
});

test("what cannot be calibrated is refused in a line", async () => {
  const refused = (what: RegExp, ...args: string[]) =>
    expectRefusal(what, "weights", "calibrate", ...args);
  await refused(/--maps and --references belong together/, run, "--maps", data);
  await refused(/a folder without best\.safetensors/, data);
  await refused(/--allowed belongs to --maps/, run, "--allowed", data);
  const both = ["--references", data, "--maps"];
  const visits = join(folder, "visits");
  mkdirSync(visits);
  cpSync(visit("p01", 1), join(visits, "p01.nii.gz"));
  await refused(/p01\.nii\.gz: holds .*probabilities lie from 0 to 1/, weights, ...both, visits);
});
