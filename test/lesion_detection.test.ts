import { expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import type { Size3 } from "../src/data/volume";
import {
  findLesions,
  type Lesions,
  lesionScores,
  MSSEG2_RULE,
  matchLesions,
  minLesionVoxels,
} from "../src/eval/lesion_detection";

const SIZE: Size3 = [80, 3, 2];

/** Lesions from runs [first, length] along the first row, second row (y = 1) from 80 on, and so on. */
function lesions(runs: readonly [number, number][], minVoxels = 1): Lesions {
  const data = new Uint8Array(80 * 3 * 2);
  for (const [first, length] of runs) data.fill(1, first, first + length);
  return findLesions(data, SIZE, minVoxels);
}

interface Case {
  readonly name: string;
  readonly reference: [number, number][];
  readonly prediction: [number, number][];
  readonly verdicts: { readonly reference: string[]; readonly predicted: string[] };
  readonly scores: readonly [sensL: number | null, ppvL: number, f1: number | null];
}

const [yes, overlap, outside] = ["detected", "overlap", "outside"];

/** Worked by hand; verdicts by decreasing size of the lesion. */
const CASES: Case[] = [
  {
    name: "the same lesion",
    reference: [[3, 5]],
    prediction: [[3, 5]],
    verdicts: { reference: [yes], predicted: [yes] },
    scores: [1, 1, 1],
  },
  {
    name: "a lesion split in two predictions is found once, both are true",
    reference: [[10, 20]],
    prediction: [
      [10, 6],
      [20, 5],
    ],
    verdicts: { reference: [yes], predicted: [yes, yes] },
    scores: [1, 1, 1],
  },
  {
    name: "two lesions merged in one prediction: both found, one of one is true",
    reference: [
      [10, 6],
      [20, 6],
    ],
    prediction: [[10, 16]],
    // Each: 6 of 6 voxels, 4/16 of the prediction outside. Backwards: 12 of 16 in reference lesions.
    verdicts: { reference: [yes, yes], predicted: [yes] },
    scores: [1, 1, 1],
  },
  {
    name: "α: a tenth exactly is not enough",
    reference: [[0, 20]],
    prediction: [[0, 2]],
    // Backwards all of the prediction is inside, but 18 of the lesion's 20 voxels are not.
    verdicts: { reference: [overlap], predicted: [outside] },
    scores: [0, 0, 0],
  },
  {
    name: "α: one voxel more is",
    reference: [[0, 20]],
    prediction: [[0, 3]],
    verdicts: { reference: [yes], predicted: [outside] },
    scores: [1, 0, 0],
  },
  {
    name: "β: seven tenths outside exactly are allowed",
    reference: [[0, 3]],
    prediction: [[0, 10]],
    verdicts: { reference: [yes], predicted: [yes] },
    scores: [1, 1, 1],
  },
  {
    name: "β: more is not; backwards a tenth lies in the lesion, and is more than α",
    reference: [[0, 3]],
    prediction: [[0, 11]],
    verdicts: { reference: [outside], predicted: [yes] },
    scores: [0, 1, 0],
  },
  {
    name: "γ: at 65 % exactly the rest, which spills, is not looked at",
    reference: [[0, 21]],
    // 13 voxels inside; 7 inside with 40 outside (40/47 > β). 13/20 = 0.65.
    prediction: [
      [0, 13],
      [14, 47],
    ],
    // Backwards: 7/47 > α, and the lesion has 1 of 21 voxels outside.
    verdicts: { reference: [yes], predicted: [yes, yes] },
    scores: [1, 1, 1],
  },
  {
    name: "γ: at 12/19 it is, and the lesion fails at once",
    reference: [[0, 20]],
    prediction: [
      [0, 12],
      [13, 47],
    ],
    verdicts: { reference: [outside], predicted: [yes, yes] },
    scores: [0, 1, 0],
  },
  {
    name: "of equal overlaps the larger prediction is visited first",
    reference: [[0, 15]],
    // Three times 3 voxels; the middle one continues outside through y: 3 of 13 inside.
    prediction: [
      [0, 3],
      [5, 3],
      [12, 13],
    ],
    verdicts: { reference: [outside], predicted: [yes, yes, yes] },
    scores: [0, 1, 0],
  },
  {
    name: "missed and false",
    reference: [
      [0, 8],
      [20, 6],
    ],
    prediction: [
      [0, 8],
      [40, 7],
      [60, 5],
    ],
    verdicts: { reference: [yes, overlap], predicted: [yes, overlap, overlap] },
    scores: [1 / 2, 1 / 3, 2 / 5],
  },
  {
    name: "nothing predicted",
    reference: [[0, 8]],
    prediction: [],
    verdicts: { reference: [overlap], predicted: [] },
    scores: [0, 0, 0],
  },
  {
    name: "nothing to find",
    reference: [],
    prediction: [[0, 8]],
    verdicts: { reference: [], predicted: [overlap] },
    scores: [null, 0, null],
  },
];
for (const { name, reference, prediction, verdicts, scores } of CASES) {
  test(`lesion detection: ${name}`, () => {
    const match = matchLesions(lesions(reference), lesions(prediction));
    expect(match as object).toEqual(verdicts);
    const { sensL, ppvL, f1 } = lesionScores(match);
    expect([sensL, ppvL]).toEqual([scores[0], scores[1]]);
    if (scores[2] === null) expect(f1).toBeNull();
    else expect(f1).toBeCloseTo(scores[2], 14);
  });
}

test("smallest lesion: strictly more than 3 mm³", () => {
  expect(minLesionVoxels(1)).toBe(4);
  expect(minLesionVoxels(3)).toBe(2);
  expect(minLesionVoxels(3.01)).toBe(1);
  expect(minLesionVoxels(0.125)).toBe(25);
  expect(minLesionVoxels(0.72 * 0.72 * 3)).toBe(2);
  expect(minLesionVoxels(0.5, 0)).toBe(1);
  // What float32 headers make of 1 mm³ and of 0.1³ mm³.
  expect(minLesionVoxels(1.0000001)).toBe(4);
  expect(minLesionVoxels(0.9999999)).toBe(4);
  expect(minLesionVoxels(Math.fround(0.1) ** 3)).toBe(3001);
});

test("components of 3 mm³ are background to lesions of the other mask too", () => {
  // 1 mm voxels. The reference has 3 mm³ and 4 mm³; the prediction covers both and ends beyond.
  const min = minLesionVoxels(1);
  const reference = lesions(
    [
      [0, 3],
      [5, 4],
    ],
    min,
  );
  expect([reference.count, reference.small]).toEqual([1, { components: 1, voxels: 3 }]);
  expect([...reference.labels.subarray(0, 10)]).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 0]);
  // 4 of 14 voxels lie in a lesion that counts: 10/14 > β. With the small one it would be 7/14.
  const match = matchLesions(reference, lesions([[0, 14]], min));
  expect(match).toEqual({ reference: ["outside"], predicted: ["detected"] });
});

test("lesions are numbered by size, then by place; corners do not join", () => {
  const found = lesions([
    [0, 2],
    [4, 5],
    [10, 2],
    [92, 3],
  ]);
  expect(Array.from({ length: found.count }, (_, i) => [...found.voxels(i + 1)][0])).toEqual([
    4, 92, 0, 10,
  ]);
});

/** Blobs: boxes at random places. */
function blobs(seed: number, size: Size3, boxes: number): Uint8Array {
  const random = new Philox(seed);
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  for (let b = 0; b < boxes; b++) {
    const edge = size.map((n) => 1 + random.int(Math.min(n, 5)));
    const at = size.map((n, axis) => random.int(n - edge[axis]! + 1));
    for (let z = 0; z < edge[2]!; z++)
      for (let y = 0; y < edge[1]!; y++) {
        const row = ((at[2]! + z) * size[1] + at[1]! + y) * size[0] + at[0]!;
        data.fill(1, row, row + edge[0]!);
      }
  }
  return data;
}

test("swapping reference and prediction swaps SensL and PPVL and keeps F1", () => {
  const size: Size3 = [17, 13, 11];
  let verdicts = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const [a, b] = [0, 1].map((i) => findLesions(blobs(2 * seed + i, size, 14), size, 4));
    const match = matchLesions(a!, b!);
    const swapped = matchLesions(b!, a!);
    expect(swapped).toEqual({ reference: match.predicted, predicted: match.reference });
    const [one, other] = [lesionScores(match), lesionScores(swapped)];
    expect([other.sensL, other.ppvL, other.f1], `seed ${seed}`).toEqual([
      one.ppvL,
      one.sensL!,
      one.f1,
    ]);
    verdicts = verdicts.union(new Set(match.reference));
  }
  expect([...verdicts].sort()).toEqual(["detected", "outside", "overlap"]);
});

test("a mask compared with itself scores 1; masks of two lengths are refused", () => {
  const size: Size3 = [17, 13, 11];
  const a = findLesions(blobs(5, size, 14), size, 4);
  expect(lesionScores(matchLesions(a, a, MSSEG2_RULE))).toEqual({ sensL: 1, ppvL: 1, f1: 1 });
  const smaller = findLesions(new Uint8Array(8), [2, 2, 2], 4);
  expect(() => matchLesions(a, smaller)).toThrow(/2431 and 8 voxels/);
});
