/** Agreement of all metrics with scipy on 200 pairs of random masks (test/golden/README.md). */
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Philox } from "../src/core/random";
import type { Mask, Size3 } from "../src/data/volume";
import { evaluateMasks, METRICS, MSSEG2 } from "../src/eval/scores";

const GOLDEN = join(import.meta.dir, "golden", "evaluation.jsonl");
const SCRIPT = join(import.meta.dir, "golden", "evaluation.py");
const PAIRS = 200;

/** The order of test/golden/evaluation.py. */
const NAMES = [...METRICS.slice(0, 10), "AnimaSurfaceDistance", ...METRICS.slice(10)];

type Box = readonly [at: number[], edge: number[]];
type Pair = readonly [reference: Mask, prediction: Mask];

/** Boxes that the prediction keeps, moves, grows, halves or loses, and some of its own. */
function randomPair(seed: number): Pair {
  const random = new Philox(seed, 0xe7a1);
  const size: Size3 = [6 + random.int(20), 5 + random.int(16), 4 + random.int(9)];
  const spacing = SPACINGS[random.int(SPACINGS.length)]!;
  const affine = [spacing[0], 0, 0, 0, 0, spacing[1], 0, 0, 0, 0, spacing[2], 0, 0, 0, 0, 1];
  const box = (): Box => {
    const edge = size.map((n) => 1 + random.int(Math.min(n, 6)));
    return [size.map((n, axis) => random.int(n - edge[axis]! + 1)), edge];
  };
  const boxes = Array.from({ length: seed % 9 === 0 ? 0 : 1 + random.int(7) }, box);
  const predicted = boxes.flatMap((each) => changed(each, random));
  predicted.push(...Array.from({ length: random.int(3) }, box));
  const mask = (list: readonly Box[]): Mask => ({ size, affine, data: fill(size, list) });
  return [mask(boxes), mask(predicted)];
}

const SPACINGS = [
  [1, 1, 1],
  [0.5, 0.5, 0.5],
  [0.72, 0.72, 3],
  [2, 1, 1.5],
  [0.9, 1.1, 0.6],
] as const;

function changed([at, edge]: Box, random: Philox): Box[] {
  switch (random.int(6)) {
    case 0:
      return [];
    case 1:
      return [[at.map((a) => a + random.int(4) - 1), edge]];
    case 2:
      return [[at.map((a) => a - 1), edge.map((e) => e + 1 + random.int(4))]];
    case 3: // Two pieces with a gap along x.
      return [
        [at, [Math.floor(edge[0]! / 2), edge[1]!, edge[2]!]],
        [[at[0]! + Math.ceil((edge[0]! + 1) / 2), at[1]!, at[2]!], edge],
      ];
    default:
      return [[at, edge]];
  }
}

function fill([nx, ny, nz]: Size3, boxes: readonly Box[]): Uint8Array {
  const data = new Uint8Array(nx * ny * nz);
  for (let voxel = 0; voxel < data.length; voxel++) {
    const place = [voxel % nx, Math.floor(voxel / nx) % ny, Math.floor(voxel / nx / ny)];
    const inside = ([at, edge]: Box) =>
      place.every((p, axis) => p >= at[axis]! && p < at[axis]! + edge[axis]!);
    if (boxes.some(inside)) data[voxel] = 1;
  }
  return data;
}

function runs(data: Uint8Array): [number, number][] {
  const found: [number, number][] = [];
  for (let i = 0; i < data.length; i++) {
    if (data[i] === 0) continue;
    const first = i;
    while (i < data.length && data[i] === 1) i++;
    found.push([first, i - first]);
  }
  return found;
}

const pairs = Array.from({ length: PAIRS }, (_, seed) => randomPair(seed));

const parseLines = (text: string): (number | null)[][] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** The metrics by scipy, or undefined where there is none. */
function askScipy(): (number | null)[][] | undefined {
  const input = pairs.map(([{ size, affine, data }, prediction]) => {
    const spacing = [affine[0], affine[5], affine[10]];
    return JSON.stringify({
      ...{ size, spacing, reference: runs(data), prediction: runs(prediction.data) },
    });
  });
  for (const python of ["python3", "/usr/bin/python3"]) {
    const { status, stdout } = spawnSync(python, [SCRIPT], { input: input.join("\n") });
    if (status === 0) return parseLines(String(stdout));
  }
  return undefined;
}

const scipy = askScipy();
if (!scipy)
  console.log("evaluation: no Python with scipy here; only its stored numbers are compared");
// VOXGRAD_WRITE_GOLDEN=1 bun test test/evaluation_golden.test.ts
if (scipy && process.env.VOXGRAD_WRITE_GOLDEN) {
  const rows = scipy.map((row) => JSON.stringify(row));
  writeFileSync(GOLDEN, `${rows.join("\n")}\n`);
}
const golden = parseLines(readFileSync(GOLDEN, "utf8"));

function expectClose(actual: readonly (number | null)[], wanted: readonly (number | null)[]) {
  return NAMES.flatMap((name, i) => {
    const [a, b] = [actual[i] ?? null, wanted[i] ?? null];
    const close = a === null || b === null ? a === b : Math.abs(a - b) <= 1e-12 * (1 + Math.abs(b));
    return close ? [] : [`${name}: ${a}, scipy ${b}`];
  });
}

test("all metrics of 200 random pairs are scipy's", () => {
  let full = 0;
  for (const [seed, [a, b]] of pairs.entries()) {
    const [reference, prediction] = [
      { ...a, name: "reference" },
      { ...b, name: "prediction" },
    ];
    const { scores } = evaluateMasks(reference, prediction);
    const compat = evaluateMasks(reference, prediction, { ...MSSEG2, animaCompat: true }).scores;
    const ours = NAMES.map((name) =>
      name === "AnimaSurfaceDistance"
        ? compat.SurfaceDistance
        : scores[name as (typeof METRICS)[number]],
    );
    expect(expectClose(ours, golden[seed]!), `seed ${seed}`).toEqual([]);
    if (scores.SurfaceDistance !== null && scores.SensL !== null) full++;
  }
  expect(golden.length).toBe(PAIRS);
  expect(full).toBeGreaterThan(120);
});

test.skipIf(!scipy)("the stored numbers are what scipy gives", () => {
  for (const [seed, row] of scipy!.entries()) {
    expect(expectClose(row, golden[seed]!), `seed ${seed}`).toEqual([]);
  }
});
