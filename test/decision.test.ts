/** Lesions of probability maps, and thresholds tuned on validation patients. */
import { describe, expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import type { Mask, Size3, Volume } from "../src/data/volume";
import { sharedDecision, tuneDecision } from "../src/decision/choose_thresholds";
import { findingsOf } from "../src/decision/findings";
import { DEFAULT_RULE, greatestMass, lesionsOf } from "../src/decision/found_lesions";
import { nestedOutcome } from "../src/decision/held_out_decision";
import { decisionMetadata, storedSweeps } from "../src/decision/stored_decision";
import {
  MIN_VOLUMES,
  type PatientSweep,
  sweepPatient,
  THRESHOLDS,
} from "../src/decision/threshold_table";
import { overlap } from "../src/eval/dice";
import { MSSEG2_RULE } from "../src/eval/lesion_detection";
import { compareLesions } from "../src/eval/lesions";

/** Voxels of 1 × 1 × 1.5 mm, mirrored along x, at an offset. */
const affine = [-1, 0, 0, 40, 0, 1, 0, -20, 0, 0, 1.5, 5, 0, 0, 0, 1];

function mapOf(size: Size3, boxes: readonly [at: Size3, edge: Size3, p: number][]): Volume {
  const data = new Float32Array(size[0] * size[1] * size[2]);
  for (const [at, edge, p] of boxes) {
    for (let z = at[2]; z < at[2] + edge[2]; z++) {
      for (let y = at[1]; y < at[1] + edge[1]; y++) {
        for (let x = at[0]; x < at[0] + edge[0]; x++) data[(z * size[1] + y) * size[0] + x] = p;
      }
    }
  }
  return { size, affine, data };
}

describe("lesions of a map", () => {
  const map = mapOf(
    [11, 9, 7],
    [
      [[1, 1, 1], [2, 1, 1], 0.9], // 3 mm³ exactly
      [[6, 1, 1], [3, 1, 1], 0.75], // 4.5 mm³
      [[1, 5, 2], [3, 3, 3], 0.5], // 40.5 mm³
      [[4, 8, 5], [1, 1, 1], 1], // touches the last one by a corner only
    ],
  );

  test("the threshold is inside; 3 mm³ or less is dropped; corners do not connect", () => {
    const { mask, lesions, dropped } = lesionsOf(map, DEFAULT_RULE);
    expect(lesions.map(({ voxels, volumeMm3 }) => [voxels, volumeMm3])).toEqual([
      [27, 40.5],
      [3, 4.5],
    ]);
    expect(dropped).toBe(2);
    expect(mask.data.reduce((sum, v) => sum + v, 0)).toBe(30);
    expect(lesions[0]!.centreMm).toEqual([40 - 2, -20 + 6, 5 + 1.5 * 3]);
    expect(lesions.map((lesion) => lesion.meanProbability)).toEqual([0.5, 0.75]);
  });

  test("0 mm³ keeps every voxel; a larger volume keeps only what is larger", () => {
    const count = (threshold: number, minLesionVolume: number) =>
      lesionsOf(map, { threshold, minLesionVolume }).lesions.length;
    expect(count(0.5, 0)).toBe(4);
    expect(count(0.51, 0)).toBe(3);
    expect([4.4, 4.5, 40.4, 40.5].map((mm3) => count(0.5, mm3))).toEqual([2, 1, 1, 0]);
  });

  test("mass is probability times volume, of the heaviest component above 3 mm³", () => {
    expect(greatestMass(map, 0.5)).toBeCloseTo(27 * 0.5 * 1.5, 5);
    expect(greatestMass(map, 0.6)).toBeCloseTo(3 * 0.75 * 1.5, 5);
    expect(greatestMass(map, 0.8)).toBe(0);
  });

  test("an empty map has none", () => {
    const empty = mapOf([3, 4, 5], []);
    expect(lesionsOf(empty, DEFAULT_RULE).lesions).toEqual([]);
    expect(findingsOf(empty, {}).newLesions).toBe(false);
  });
});

/** Soft blobs: some where the truth has them, some not. */
function softCase(seed: number, size: Size3, lesions: number): { map: Volume; truth: Uint8Array } {
  const random = new Philox(seed, 3);
  const data = new Float32Array(size[0] * size[1] * size[2]);
  const truth = new Uint8Array(data.length);
  for (let blob = 0; blob < lesions + 3; blob++) {
    const at = size.map((n) => random.int(n));
    const [radius, peak, shift] = [random.uniform(1, 3), random.uniform(0.2, 1), random.int(3)];
    for (let i = 0; i < data.length; i++) {
      const row = Math.floor(i / size[0]);
      const [x, y, z] = [i % size[0], row % size[1], Math.floor(row / size[1])];
      const distance = Math.hypot(x - at[0]!, y - at[1]!, 1.5 * (z - at[2]!));
      data[i] = Math.max(data[i]!, peak * Math.exp(-((distance / radius) ** 2) / 2));
      if (blob < lesions && Math.hypot(x - at[0]! - shift, y - at[1]!, 1.5 * (z - at[2]!)) < radius)
        truth[i] = 1;
    }
  }
  return { map: { size, affine, data }, truth };
}

test("a sweep says what every threshold gives, as computed one by one on the whole volume", () => {
  for (const [seed, lesions] of [
    [1, 4],
    [2, 1],
    [3, 0],
  ] as const) {
    const { map, truth } = softCase(seed, [23, 17, 13], lesions);
    const mask = { ...map, data: truth };
    // Anywhere, and in a half of the volume that cuts through lesions.
    const half = { ...map, data: truth.map((_, i) => (i % 23 < 11 ? 1 : 0)) };
    for (const allowed of [undefined, half]) compareSweep(map, mask, allowed, `seed ${seed}`);
  }
});

function compareSweep(map: Volume, mask: Mask, allowed: Mask | undefined, name: string): void {
  const sweep = sweepPatient(map, mask, allowed);
  const reference = compareLesions(mask, mask, MSSEG2_RULE, 6).referenceLesions.length;
  expect(sweep.lesions).toBe(reference);
  for (const [t, threshold] of THRESHOLDS.entries()) {
    expect(sweep.mass[t]!).toBeCloseTo(greatestMass(map, threshold, allowed), 3);
    for (const [v, minLesionVolume] of MIN_VOLUMES.entries()) {
      const found = lesionsOf(map, { threshold, minLesionVolume }, allowed);
      const at = `${name}, ${threshold}, ${minLesionVolume} mm³`;
      const { f1 } = compareLesions(mask, found.mask, MSSEG2_RULE, 6);
      expect(sweep.found[t]![v]!, at).toBe(found.lesions.length);
      expect(sweep.f1[t]![v]!, at).toBeCloseTo(f1 ?? 0, 3);
      expect(sweep.dice[t]![v]!, at).toBeCloseTo(overlap(mask.data, found.mask.data).dice, 3);
    }
  }
}

test("a map that is nowhere near a lesion sweeps to nothing", () => {
  const map = mapOf([5, 6, 7], []);
  const sweep = sweepPatient(map, { ...map, data: new Uint8Array(210) });
  expect(sweep.lesions).toBe(0);
  expect(sweep.found.flat().every((n) => n === 0)).toBe(true);
  expect(sweep.mass.every((mass) => mass === 0)).toBe(true);
});

type Table = (t: number, v: number) => number;

/** A made-up patient; functions of the threshold's and the volume's index. */
function patient(lesions: number, f1: Table, mass: (t: number) => number, found: Table = () => 0) {
  const table = (f: Table) => THRESHOLDS.map((_, t) => MIN_VOLUMES.map((_, v) => f(t, v)));
  const dice = table(() => 0.5);
  const masses = THRESHOLDS.map((_, t) => mass(t));
  return { lesions, f1: table(f1), dice, found: table(found), mass: masses } as PatientSweep;
}

describe("tuning", () => {
  /** Best around 0.35. */
  const hill: Table = (t) => 0.8 - 0.05 * Math.abs(t - 6);

  test("files with the same patients' results count once, other patients add to them", () => {
    const one = patient(3, hill, () => 50);
    const other = patient(1, hill, () => 9);
    const [both, first] = [tuneDecision([one, other]), tuneDecision([one])];
    expect(sharedDecision([{ sweeps: [one] }, { sweeps: [one] }])).toEqual(first);
    expect(sharedDecision([{ sweeps: [one] }, {}, { sweeps: [other] }])).toEqual(both);
    expect(both.lesions!.patients).toBe(2);
  });

  test("the best lesion F1 wins", () => {
    const { lesions } = tuneDecision([patient(3, hill, () => 50), patient(1, hill, () => 9)]);
    expect(lesions).toMatchObject({ threshold: 0.35, patients: 2, dice: 0.5 });
    expect(lesions!.f1).toBeCloseTo(0.8, 9);
    expect(lesions!.falseLesions).toBeUndefined();
  });

  test("a lone peak does not", () => {
    const { lesions } = tuneDecision([
      patient(
        3,
        (t, v) => (t === 16 ? 0.85 : hill(t, v)),
        () => 50,
      ),
    ]);
    expect(lesions!.threshold).toBe(0.35);
  });

  test("where F1 does not tell, false lesions in patients without any do", () => {
    const stable = patient(
      0,
      () => 0,
      () => 5,
      (_, v) => (v < 2 ? 3 : v === 2 ? 0 : 1),
    );
    const { lesions } = tuneDecision([patient(3, hill, () => 50), stable]);
    expect(lesions).toMatchObject({ threshold: 0.35, minLesionVolume: 12, falseLesions: 0 });
    const strict = patient(
      0,
      () => 0,
      () => 5,
      (t) => 19 - t,
    );
    expect(tuneDecision([patient(3, hill, () => 50), strict]).lesions!.threshold).toBe(0.35);
  });

  test("patients: the mass between the two kinds, at the threshold that parts them best", () => {
    const ill = [40, 90].map((m) => patient(2, hill, (t) => (t === 4 ? m : 10)));
    const stable = [2, 10].map((m) =>
      patient(
        0,
        () => 0,
        () => m,
      ),
    );
    const { patient: rule } = tuneDecision([...ill, ...stable]);
    expect(rule!.threshold).toBe(0.25);
    expect(rule!.mass).toBeCloseTo(Math.sqrt(10 * 40), 3);
    expect(rule).toMatchObject({
      sensitivity: { right: 2, of: 2 },
      specificity: { right: 2, of: 2 },
    });
  });

  test("patients: what cannot be parted is counted as it is", () => {
    const ill = [5, 40, 90].map((m) => patient(2, hill, () => m));
    const stable = [0, 0, 60].map((m) =>
      patient(
        0,
        () => 0,
        () => m,
      ),
    );
    const { patient: rule } = tuneDecision([...ill, ...stable]);
    expect(rule).toMatchObject({
      sensitivity: { right: 3, of: 3 },
      specificity: { right: 2, of: 3 },
    });
    expect(rule!.mass).toBeCloseTo(Math.sqrt(5), 2);
  });

  test("what the patients do not decide stays open", () => {
    const blind = patient(
      2,
      () => 0,
      () => 0,
    );
    expect(sharedDecision([{}])).toEqual({ lesions: undefined, patient: undefined });
    expect(tuneDecision([])).toEqual({ lesions: undefined, patient: undefined });
    expect(
      tuneDecision([
        blind,
        patient(
          0,
          () => 0,
          () => 0,
        ),
      ]),
    ).toEqual({
      lesions: undefined,
      patient: undefined,
    });
    expect(tuneDecision([patient(2, hill, () => 9)]).patient).toBeUndefined();
    expect(tuneDecision([patient(0, hill, () => 9)]).lesions).toBeUndefined();
  });
});

test("nested: each fold by thresholds of the others, the defaults beside them", () => {
  const at =
    (best: number): Table =>
    (t, v) =>
      v === 0 ? 1 - 0.1 * Math.abs(t - best) : 0.1;
  const folds = [4, 4, 12].map((best, k) => [
    patient(2, at(best), () => 30 + k),
    patient(
      0,
      () => 0,
      () => 2 + k,
      () => 1,
    ),
  ]);
  const { tuned, defaults } = nestedOutcome(folds);
  // Folds 0 and 1 are judged by peaks at 4 and 12 together, fold 2 by two at 4.
  const others = [1, 0].map((k) => tuneDecision([folds[k]!, folds[2]!].flat()).lesions!.threshold);
  const t = THRESHOLDS.indexOf(others[0]!);
  expect(others[0]).toBe(others[1]!);
  expect(tuned.f1).toBeCloseTo((2 * at(4)(t, 0) + at(12)(4, 0)) / 3, 9);
  expect(defaults.f1).toBeCloseTo((2 * at(4)(9, 0) + at(12)(9, 0)) / 3, 9);
  expect([tuned.falseLesions, defaults.falseLesions]).toEqual([1, 1]);
  expect(tuned.specificity).toEqual({ right: 3, of: 3 });
  expect(tuned.sensitivity).toEqual({ right: 3, of: 3 });
  expect(defaults.specificity).toEqual({ right: 0, of: 3 });
});

describe("in a weights file", () => {
  const { map, truth } = softCase(7, [15, 17, 12], 2);
  const sweeps = [sweepPatient(map, { ...map, data: truth })];

  test("what goes in comes out", () => {
    const metadata = decisionMetadata(sweeps);
    expect(storedSweeps(metadata, "w")).toEqual(sweeps);
    expect(JSON.parse(metadata.decision!).lesions).toEqual(tuneDecision(sweeps).lesions);
  });

  test("files without results, or with others, have none", () => {
    expect(storedSweeps({}, "w")).toBeUndefined();
    const { validation } = decisionMetadata(sweeps);
    const others = [validation!.replace("0.05", "0.06"), validation!.replace("0.05,", "")];
    for (const other of others) expect(storedSweeps({ validation: other }, "w")).toBeUndefined();
  });

  test("damaged results are refused with the file and the place", () => {
    const stored = JSON.parse(decisionMetadata(sweeps).validation!);
    const [patient] = stored.patients;
    for (const [damaged, message] of [
      ["{", /w\.st: its validation results: not valid JSON; the file is damaged/],
      ["7", /it is 7: expected object/],
      [{ ...stored, patients: 3 }, /patients is 3: expected array/],
      [{ ...stored, patients: [{ ...patient, lesions: -1 }] }, /patients\.0\.lesions is -1/],
      [{ ...stored, patients: [{ ...patient, mass: [1] }] }, /patients\.0\.mass is \[1\]/],
      [{ ...stored, patients: [{ ...patient, name: "x" }] }, /holds name in patients\.0, which/],
    ] as const) {
      const validation = typeof damaged === "string" ? damaged : JSON.stringify(damaged);
      expect(() => storedSweeps({ validation }, "w.st")).toThrow(message);
    }
  });
});

test("findings: given goes before tuned, tuned before the defaults; patients have their own rule", () => {
  const map = mapOf([9, 9, 9], [[[1, 1, 1], [3, 3, 3], 0.4]]);
  const lesions = { threshold: 0.3, minLesionVolume: 6, f1: 0.5, dice: 0.5, patients: 3 };
  const rate = { right: 1, of: 2 };
  const patient = { threshold: 0.2, mass: 20, sensitivity: rate, specificity: rate };
  expect(findingsOf(map, {}).rule).toEqual(DEFAULT_RULE);
  expect(findingsOf(map, {}).newLesions).toBe(false);
  expect(findingsOf(map, { lesions }).lesions.length).toBe(1);
  expect(findingsOf(map, { lesions }).newLesions).toBe(true);
  expect(findingsOf(map, { lesions }, { given: { threshold: 0.6 } }).rule).toEqual({
    threshold: 0.6,
    minLesionVolume: 6,
  });
  const found = findingsOf(map, { lesions, patient });
  expect(found.patient!.mass).toBeCloseTo(27 * 0.4 * 1.5, 4);
  expect(found.newLesions).toBe(false);
  expect(findingsOf(map, { patient: { ...patient, mass: 16 } }).newLesions).toBe(true);
});
