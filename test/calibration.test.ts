/** Calibration: fitted values against hand-computed ones and known distributions; stored, read and applied. */
import { expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import type { Mask, Volume } from "../src/data/volume";
import {
  type Calibration,
  calibrationMetadata,
  fitCalibration,
  sharedCalibration,
  storedCalibration,
} from "../src/decision/calibration";
import { calibrationSample } from "../src/decision/calibration_sample";
import { findingsOf } from "../src/decision/findings";
import { fitLesions, lesionProbability } from "../src/decision/lesion_calibration";
import {
  calibrated,
  chooseCalibration,
  fitIsotonic,
  fitTemperature,
  logit,
  sigmoid,
  uncalibrated,
  VoxelTally,
} from "../src/decision/map_calibration";
import { ReliabilityTally } from "../src/eval/reliability";

test("reliability, calibration error and Brier score by hand", () => {
  const tally = new ReliabilityTally();
  tally.add([0.05, 0.15, 0.95, 0.95, 0.001], [0, 1, 1, 0, 1]);
  const { voxels, brier, ece, bins } = tally.result();
  expect(voxels).toBe(4);
  expect(brier).toBeCloseTo((0.0025 + 0.7225 + 0.0025 + 0.9025) / 4, 12);
  expect(ece).toBeCloseTo((0.05 + 0.85 + 0.9) / 4, 12);
  expect(bins.map((bin) => bin.voxels)).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
  expect(bins[9]).toEqual({ low: 0.9, high: 1, voxels: 2, probability: 0.95, share: 0.5 });
  expect(bins[2]).toMatchObject({ probability: null, share: null });
  expect(new ReliabilityTally().result()).toMatchObject({ voxels: 0, brier: null, ece: null });
});

/** Voxels of a network whose logit is `stretch` times that of the truth's probability. */
function drawn(seed: number, stretch: (x: number) => number, count = 40_000): VoxelTally {
  const random = new Philox(seed);
  const tally = new VoxelTally();
  const x = Array.from({ length: count }, () => random.uniform(-2, 2));
  const truth = x.map((each) => Number(random.uniform() < sigmoid(each)));
  tally.add(
    x.map((each) => sigmoid(stretch(each))),
    truth,
  );
  return tally;
}

test("the temperature of a network that is twice too certain is 2, of a right one 1", () => {
  for (const temperature of [2, 1, 0.5]) {
    const fitted = fitTemperature(drawn(1, (x) => temperature * x));
    expect(fitted.kind === "temperature" && fitted.temperature / temperature).toBeCloseTo(1, 1);
  }
});

test("the isotonic curve: neighbours that fall are pooled, between points it is linear", () => {
  const tally = new VoxelTally();
  for (const [p, lesions] of [
    [0.1, 2],
    [0.2, 1],
    [0.3, 5],
    [0.4, 5],
  ] as const) {
    tally.add(
      Array(10).fill(p),
      Array.from({ length: 10 }, (_, i) => Number(i < lesions)),
    );
  }
  const curve = fitIsotonic(tally);
  expect(curve).toEqual({
    kind: "isotonic",
    points: [
      [0.15, 0.15],
      [0.35, 0.5],
    ],
  });
  expect([0, 0.075, 0.15, 0.25, 0.35, 0.9, 1].map((p) => calibrated(p, curve))).toEqual(
    [0, 0.075, 0.15, 0.325, 0.5, 0.5, 0.5].map((p) => expect.closeTo(p, 12)),
  );
  expect(uncalibrated(0.325, curve)).toBeCloseTo(0.25, 12);
  expect(uncalibrated(0.6, curve)).toBeGreaterThan(1);
});

test("uncalibrated undoes calibrated, which keeps order, 0 and 1 apart", () => {
  const warm = { kind: "temperature", temperature: 1.7 } as const;
  for (const p of [0.001, 0.02, 0.5, 0.73, 0.999]) {
    expect(uncalibrated(calibrated(p, warm), warm)).toBeCloseTo(p, 10);
  }
  expect(calibrated(0.9, warm)).toBeCloseTo(sigmoid(logit(0.9) / 1.7), 12);
  expect(calibrated(0, warm)).toBe(0);
  expect(calibrated(0.3, undefined)).toBe(0.3);
});

test("the kind that is best on held-out patients is chosen; none for a network that is right", () => {
  const of = (stretch: (x: number) => number) =>
    chooseCalibration([11, 12, 13].map((seed) => drawn(seed, stretch)))!;
  expect(of((x) => x).map).toBeUndefined();
  const certain = of((x) => 3 * x);
  expect(certain.map?.kind).toBe("temperature");
  expect(certain.heldOut.temperature.brier!).toBeLessThan(certain.heldOut.none.brier!);
  expect(certain.heldOut.temperature.ece!).toBeLessThan(0.02);
  // Too high by the same all over: no temperature mends that.
  const shifted = of((x) => x + 2);
  expect(shifted.map?.kind).toBe("isotonic");
  expect(shifted.heldOut.isotonic.ece!).toBeLessThan(0.3 * shifted.heldOut.none.ece!);
  expect(chooseCalibration([drawn(1, (x) => x), new VoxelTally()])).toBeUndefined();
});

test("lesions: where all look alike the probability is the share that is true", () => {
  const alike = { meanProbability: 0.6, maxProbability: 0.8, volumeMm3: 30 };
  const lesions = Array.from({ length: 40 }, (_, i) => ({ ...alike, isTrue: i % 4 === 0 }));
  const fitted = fitLesions(lesions)!;
  expect(lesionProbability(alike, fitted)).toBeCloseTo(0.25, 5);
  expect(fitted).toMatchObject({ lesions: 40, trueLesions: 10 });
  expect(fitLesions(lesions.slice(0, 16))).toBeUndefined(); // four true ones
});

test("lesions: a known law of mean, maximum and volume is found again", () => {
  const random = new Philox(5);
  const law = ({ meanProbability, maxProbability, volumeMm3 }: Record<string, number>) =>
    sigmoid(-4 + logit(meanProbability!) + 0.5 * logit(maxProbability!) + Math.log(volumeMm3!));
  const draw = () => {
    const meanProbability = sigmoid(random.uniform(-1, 2));
    const maxProbability = sigmoid(logit(meanProbability) + random.uniform(0, 2));
    return { meanProbability, maxProbability, volumeMm3: Math.exp(random.uniform(1, 6)) };
  };
  const lesions = Array.from({ length: 5000 }, () => {
    const lesion = draw();
    return { ...lesion, isTrue: random.uniform() < law(lesion) };
  });
  const fitted = fitLesions(lesions)!;
  const off = Array.from({ length: 200 }, () => {
    const lesion = draw();
    return Math.abs(lesionProbability(lesion, fitted) - law(lesion));
  });
  expect(Math.max(...off)).toBeLessThan(0.05);
});

const SIZE = [40, 10, 10] as const;
const grid = { size: SIZE, affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] } as const;

/** Cubes of 3³ voxels along x, each of one probability, some of them true. */
function cubes(list: readonly (readonly [probability: number, isTrue: boolean])[]) {
  const map: Volume = { ...grid, data: new Float32Array(4000) };
  const truth: Mask = { ...grid, data: new Uint8Array(4000) };
  list.forEach(([probability, isTrue], k) => {
    for (let i = 0; i < 27; i++) {
      const at = [4 * k + (i % 3), 2 + (Math.floor(i / 3) % 3), 2 + Math.floor(i / 9)];
      const voxel = (at[2]! * 10 + at[1]!) * 40 + at[0]!;
      map.data[voxel] = probability;
      truth.data[voxel] = Number(isTrue);
    }
  });
  return { map, truth };
}

const PATIENT = [
  ...([
    [0.92, true],
    [0.92, true],
    [0.62, true],
    [0.62, false],
    [0.62, false],
  ] as const),
  ...([
    [0.22, true],
    [0.22, false],
    [0.22, false],
  ] as const),
] as const;
const samples = () =>
  [1, 2, 3].map(() => {
    const { map, truth } = cubes(PATIENT);
    return calibrationSample(map, truth);
  });

test("operating points: more is found, or less of it is false", () => {
  const { points, patients } = fitCalibration(samples());
  expect(patients).toBe(3);
  const { sensitive, default: tuned, "few-false-alarms": few } = points!;
  expect(sensitive.found).toEqual({ right: 12, of: 12 });
  expect(sensitive.falseLesions).toBe(12);
  expect(sensitive.threshold).toBeLessThanOrEqual(0.2);
  expect(few).toMatchObject({ found: { right: 6, of: 12 }, falseLesions: 0 });
  expect(few.threshold).toBeGreaterThan(0.62);
  expect(few.lesion).toBeUndefined(); // none of its lesions is false
  expect(sensitive.lesion).toMatchObject({ lesions: 24, trueLesions: 12 });
  expect(tuned.found.right).toBeGreaterThanOrEqual(6);
  const alone = fitCalibration([
    calibrationSample(...(Object.values(cubes([[0.9, false]])) as [Volume, Mask])),
  ]);
  expect(alone.points).toBeUndefined();
});

test("pairs without change count in the choice of an operating point and nowhere else", () => {
  const many = cubes(Array.from({ length: 9 }, () => [0.22, false] as const));
  const unchanged = Array.from({ length: 5 }, () => calibrationSample(many.map, many.truth));
  const [alone, both] = [fitCalibration(samples()), fitCalibration(samples(), unchanged)];
  expect(both.points!.sensitive.threshold).toBeGreaterThan(0.22);
  expect(both.points!.sensitive).toMatchObject({ found: { right: 9, of: 12 }, falseLesions: 6 });
  expect(both.points!.default).toEqual(alone.points!.default);
  expect({ ...both, points: 0 }).toEqual({ ...alone, points: 0 });
});

test("findings: the mask by the network's own rule, probabilities as calibrated", () => {
  const { map } = cubes(PATIENT);
  const calibration: Calibration = {
    ...fitCalibration(samples()),
    map: { kind: "temperature", temperature: 2 },
  };
  const { sensitive } = calibration.points!;
  const found = findingsOf(map, {}, { calibration, point: "sensitive" });
  expect(found.lesions.length).toBe(8);
  expect(found.rule.threshold).toBeCloseTo(calibrated(sensitive.threshold, calibration.map), 3);
  const [first] = found.lesions;
  expect(first!.meanProbability).toBeCloseTo(sigmoid(logit(0.92) / 2), 5);
  const features = { meanProbability: 0.92, maxProbability: 0.92, volumeMm3: 27 };
  expect(first!.probability).toBeCloseTo(lesionProbability(features, sensitive.lesion!), 4);
  expect(first!.probability!).toBeGreaterThan(found.lesions.at(-1)!.probability!);
  // A threshold that is given is about calibrated probabilities, and is another rule than the fitted one.
  const given = { threshold: 0.7 };
  const other = findingsOf(map, {}, { calibration, point: "sensitive", given });
  expect(other.lesions.length).toBe(2); // σ(logit(0.92) / 2) is 0.77, σ(logit(0.62) / 2) 0.56
  expect(other.rule.threshold).toBe(0.7);
  expect(other.lesions[0]!.probability).toBeUndefined();
  expect(() => findingsOf(map, {}, { point: "sensitive" })).toThrow(
    /--operating-point sensitive: .*hold none/,
  );
});

test("it is stored and read; what is damaged is refused; files must share it", () => {
  const calibration = fitCalibration(samples());
  const metadata = calibrationMetadata(calibration);
  expect(storedCalibration(metadata, "a")).toEqual(JSON.parse(JSON.stringify(calibration)));
  expect(storedCalibration({}, "a")).toBeUndefined();
  const points = {
    kind: "isotonic",
    points: [
      [0.5, 0.5],
      [0.4, 0.6],
    ],
  };
  for (const [map, what] of [
    [{ kind: "temperature", temperature: 0 }, /a: its calibration: map\.temperature is 0/],
    [points, /expected increasing points/],
    [{ kind: "magic" }, /a: its calibration: map/],
  ] as const) {
    const text = JSON.stringify({ ...calibration, map });
    expect(() => storedCalibration({ calibration: text }, "a")).toThrow(what);
  }
  expect(sharedCalibration([{ calibration }, { calibration }])).toBe(calibration);
  expect(sharedCalibration([{ calibration }, {}])).toBeUndefined();
});
