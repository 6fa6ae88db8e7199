import { expect, test } from "bun:test";
import type { Affine, Size3 } from "../src/data/volume";
import { type Connectivity, connectedComponents } from "../src/eval/components";
import { overlap } from "../src/eval/dice";
import { evaluateMasks, METRICS, MSSEG2, type NamedMask } from "../src/eval/scores";

const volume = ([nx, ny, nz]: Size3) => nx * ny * nz;

/** Slices of rows of `#` and `.`, separated by blanks and bars: "#. .. | .. .#" is 2×2×2. */
function picture(text: string): { data: Uint8Array; size: Size3 } {
  const slices = text.split("|").map((slice) => slice.trim().split(/\s+/));
  const size: Size3 = [slices[0]![0]!.length, slices[0]!.length, slices.length];
  return { data: Uint8Array.from(slices.flat().join(""), (c) => (c === "#" ? 1 : 0)), size };
}

const cases: [string, string, Record<Connectivity, number[]>][] = [
  ["empty", "... ... | ... ...", { 6: [], 18: [], 26: [] }],
  ["full", "## ## | ## ##", { 6: [8], 18: [8], 26: [8] }],
  ["one voxel in all", "#", { 6: [1], 18: [1], 26: [1] }],
  ["touching by a face along z", "#. .. | #. ..", { 6: [2], 18: [2], 26: [2] }],
  ["touching by an edge", "#. .# | .. ..", { 6: [1, 1], 18: [2], 26: [2] }],
  ["touching by a corner", "#. .. | .. .#", { 6: [1, 1], 18: [1, 1], 26: [2] }],
  ["end of one row, start of the next", "..# #..", { 6: [1, 1], 18: [1, 1], 26: [1, 1] }],
  [
    "end of one slice, start of the next",
    "... ..# | #.. ...",
    { 6: [1, 1], 18: [1, 1], 26: [1, 1] },
  ],
  ["a U that a raster scan joins late", "#.# #.# ###", { 6: [7], 18: [7], 26: [7] }],
  ["a spiral", "##### ....# ###.# #...# #####", { 6: [17], 18: [17], 26: [17] }],
  [
    "a ring and its core",
    "##### #...# #.#.# #...# #####",
    { 6: [16, 1], 18: [16, 1], 26: [16, 1] },
  ],
];
for (const [name, text, expected] of cases) {
  for (const connectivity of [6, 18, 26] as const) {
    test(`components: ${name}, ${connectivity}-connected`, () => {
      const { data, size } = picture(text);
      const { count, labels, voxels } = connectedComponents(data, size, connectivity);
      const sizes = Array.from({ length: count }, (_, i) => voxels(i + 1).length);
      expect(sizes).toEqual(expected[connectivity]);
      for (let i = 0; i < count; i++) {
        for (const voxel of voxels(i + 1)) expect(labels[voxel]).toBe(i + 1);
      }
      expect(labels.map((label) => Math.min(1, label))).toEqual(Int32Array.from(data));
    });
  }
}

/** Small seeded generator (mulberry32), enough for test images. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The slow, plain way: labels spread to their neighbours until nothing changes. */
function spread(data: Uint8Array, size: Size3, connectivity: Connectivity): number[] {
  const [nx, ny] = size;
  const at = (v: number) => [v % nx, Math.floor(v / nx) % ny, Math.floor(v / nx / ny)] as const;
  const mask = [...data.keys()].filter((v) => data[v]);
  const reach = { 6: 1, 18: 2, 26: 3 }[connectivity];
  const touch = (a: number, b: number) => {
    const [p, q] = [at(a), at(b)];
    const d = p.map((_, axis) => Math.abs(p[axis]! - q[axis]!));
    return Math.max(...d) === 1 && d.reduce((x, y) => x + y) <= reach;
  };
  const label = new Map(mask.map((v) => [v, v]));
  for (let changed = true; changed; ) {
    changed = false;
    for (const a of mask) {
      for (const b of mask) {
        if (label.get(b)! < label.get(a)! && touch(a, b)) {
          label.set(a, label.get(b)!);
          changed = true;
        }
      }
    }
  }
  const first = [...new Set(mask.map((v) => label.get(v)!))].sort((a, b) => a - b);
  return Array.from(data, (value, v) => (value ? first.indexOf(label.get(v)!) + 1 : 0));
}

test("components equal those of the plain method on random masks", () => {
  const draw = random(7);
  const sizes: Size3[] = [
    [7, 5, 3],
    [1, 9, 6],
    [4, 1, 1],
    [6, 6, 5],
  ];
  for (const size of sizes) {
    for (const connectivity of [6, 18, 26] as const) {
      const data = Uint8Array.from({ length: volume(size) }, () => (draw() < 0.25 ? 255 : 0));
      const { labels } = connectedComponents(data, size, connectivity);
      expect([...labels], `${size} ${connectivity}`).toEqual(spread(data, size, connectivity));
    }
  }
});

test("components: a full large mask and a length that does not fit", () => {
  const size: Size3 = [101, 97, 89];
  const full = new Uint8Array(volume(size)).fill(1);
  expect(connectedComponents(full, size, 26).count).toBe(1);
  expect(() => connectedComponents(full, [2, 2, 2])).toThrow(/2×2×2/);
});

test("overlap and Dice, by hand", () => {
  const reference = Uint8Array.from([1, 1, 1, 0, 0, 0, 0]);
  const prediction = Uint8Array.from([1, 1, 0, 1, 0, 0, 0]);
  expect(overlap(reference, prediction)).toEqual({
    truePositives: 2,
    falsePositives: 1,
    falseNegatives: 1,
    trueNegatives: 3,
    dice: 2 / 3,
  });
  const empty = new Uint8Array(7);
  expect(overlap(empty, empty).dice).toBe(1);
  expect(overlap(reference, empty).dice).toBe(0);
  expect(overlap(empty, prediction).dice).toBe(0);
  expect(() => overlap(reference, new Uint8Array(6))).toThrow(/7 and 6/);
});

// Voxels of 2×1×3 mm, x towards the left, the first voxel at (10, -20, 30) mm.
const affine: Affine = [-2, 0, 0, 10, 0, 1, 0, -20, 0, 0, 3, 30, 0, 0, 0, 1];

/** A mask of 20×4×2 voxels from runs along x: [x, y, z, length]. */
function mask(name: string, ...runs: [number, number, number, number][]): NamedMask {
  const size: Size3 = [20, 4, 2];
  const data = new Uint8Array(volume(size));
  for (const [x, y, z, length] of runs)
    data.fill(1, (z * 4 + y) * 20 + x, (z * 4 + y) * 20 + x + length);
  return { name, size, affine, data };
}

test("lesions, by hand: verdicts, volumes and centres in mm, small components apart", () => {
  // Lesions of 66, 60 and 12 mm³: one voxel of the first and two of the second are predicted.
  const reference = mask("r.nii", [0, 0, 0, 11], [0, 2, 0, 10], [18, 0, 1, 1], [18, 0, 0, 1]);
  const prediction = mask("p.nii", [5, 0, 0, 1], [0, 2, 0, 2], [12, 3, 1, 3]);
  const result = evaluateMasks(reference, prediction);
  expect(result.voxelVolumeMm3).toBe(6);
  expect(result.truePositives).toBe(3);
  expect(result.dice).toBe(6 / 29);
  expect(result.referenceLesions).toEqual([
    // x: mean index 5 → 10 − 2·5; y: −20 + 0; z: 30.
    {
      id: 1,
      voxels: 11,
      volumeMm3: 66,
      centreMm: [0, -20, 30],
      overlap: 1 / 11,
      verdict: "overlap",
    },
    { id: 2, voxels: 10, volumeMm3: 60, centreMm: [1, -18, 30], overlap: 0.2, verdict: "detected" },
    { id: 3, voxels: 2, volumeMm3: 12, centreMm: [-26, -20, 31.5], overlap: 0, verdict: "overlap" },
  ]);
  expect(result.predictedLesions).toEqual([
    { id: 1, voxels: 3, volumeMm3: 18, centreMm: [-16, -17, 33], overlap: 0, verdict: "overlap" },
    // 8 of the 10 voxels of the lesion that it lies in are outside.
    { id: 2, voxels: 2, volumeMm3: 12, centreMm: [9, -18, 30], overlap: 1, verdict: "outside" },
    { id: 3, voxels: 1, volumeMm3: 6, centreMm: [0, -20, 30], overlap: 1, verdict: "outside" },
  ]);
  expect(result.smallInReference).toEqual({ components: 0, volumeMm3: 0 });
  const rule = { ...MSSEG2.rule, minVolumeMm3: 12 };
  const larger = evaluateMasks(reference, prediction, { ...MSSEG2, rule });
  expect([larger.referenceLesions.length, larger.predictedLesions.length]).toEqual([2, 1]);
  expect(larger.smallInReference).toEqual({ components: 1, volumeMm3: 12 });
  expect(larger.smallInPrediction).toEqual({ components: 2, volumeMm3: 18 });
});

test("scores, by hand", () => {
  // 10 and 8 voxels, 6 of them shared, of 160.
  const { scores } = evaluateMasks(mask("r", [2, 1, 0, 10]), mask("p", [6, 1, 0, 8]));
  const { HausdorffDistance, ContourMeanDistance, SurfaceDistance, ...others } = scores;
  expect(others).toEqual({
    Jaccard: 6 / 12,
    Dice: 12 / 18,
    Sensitivity: 0.6,
    Specificity: 148 / 150,
    PPV: 6 / 8,
    NPV: 148 / 152,
    RelativeVolumeError: -20,
    PPVL: 1,
    SensL: 1,
    F1_score: 1,
    NbTestedLesions: null,
    VolTestedLesions: null,
  });
  // Along x, 2 mm: 4 voxels before and 2 voxels after.
  expect(HausdorffDistance).toBe(8);
  expect(ContourMeanDistance).toBe((8 + 6 + 4 + 2) / 10);
  expect(SurfaceDistance).toBe((8 + 6 + 4 + 2 + 2 + 4) / 18);
});

test("a patient without reference lesions has number and volume of predicted ones above 3 mm³", () => {
  const fine: Affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const prediction = { ...mask("p", [0, 0, 0, 3], [5, 0, 0, 4], [10, 2, 1, 6]), affine: fine };
  const { scores, lesionFree } = evaluateMasks({ ...mask("r"), affine: fine }, prediction);
  expect(lesionFree).toBeTrue();
  for (const metric of METRICS) {
    const expected = { NbTestedLesions: 2, VolTestedLesions: 10 }[metric as string] ?? null;
    expect(scores[metric], metric).toBe(expected);
  }
});

test("nothing predicted, and a reference with nothing above 3 mm³: what is not defined is null", () => {
  const nothing = evaluateMasks(mask("r", [0, 0, 0, 5]), mask("p")).scores;
  expect([nothing.Dice, nothing.PPV, nothing.RelativeVolumeError]).toEqual([0, null, -100]);
  expect([nothing.HausdorffDistance, nothing.SurfaceDistance]).toEqual([null, null]);
  expect([nothing.PPVL, nothing.SensL, nothing.F1_score]).toEqual([0, 0, 0]);
  const fine: Affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const small = { ...mask("r", [0, 0, 0, 3]), affine: fine };
  const { scores, lesionFree } = evaluateMasks(small, small);
  expect(lesionFree).toBeFalse();
  expect([scores.Dice, scores.PPVL, scores.SensL, scores.F1_score]).toEqual([1, 0, null, null]);
});

test("masks on two grids are refused by name, size or place", () => {
  const reference = mask("r.nii", [0, 0, 0, 1]);
  const moved = { ...mask("p.nii"), affine: affine.map((a, i) => (i === 3 ? a + 1 : a)) };
  expect(() => evaluateMasks(reference, moved)).toThrow(
    /^p.nii: lies on another grid \(20×4×2 .* from 11.0, -20.0, 30.0 mm\) than r.nii \(20×4×2 .*\), corners up to 1 mm apart; /,
  );
  const smaller = { ...mask("p.nii"), size: [20, 4, 1] as const, data: new Uint8Array(80) };
  expect(() => evaluateMasks(reference, smaller)).toThrow(/20×4×1/);
});
