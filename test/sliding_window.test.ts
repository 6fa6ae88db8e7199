/** Overlap-averaged inference: coverage, identity, constant windows, slabs. */
import { afterAll, describe, expect, spyOn, test } from "bun:test";
import type { Size3 } from "../src/data/volume";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { predictVolume } from "../src/infer/sliding_window";
import {
  coverage,
  type Window,
  windowGrid,
  windowProfile,
  windowStarts,
} from "../src/infer/windows";
import { WINDOW_WEIGHTS } from "../src/settings/names";
import { defaultDevice } from "./test_devices";
import { edgy, noise, pointwise, source } from "./window_rig";

const PATCH = 8;
const STRIDE = 6;
const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

const SIZES: readonly [string, Size3][] = [
  ["smaller than a window", [5, 7, 3]],
  ["a window", [8, 8, 8]],
  ["one more than a window", [9, 8, 9]],
  ["not a multiple of the stride", [17, 11, 13]],
  ["a multiple of the stride", [20, 14, 26]],
  ["thin along one axis", [31, 4, 10]],
];

describe("windows", () => {
  test("starts: every stride, the last flush with the edge", () => {
    expect(windowStarts(80, 32, 24)).toEqual([0, 24, 48]);
    expect(windowStarts(81, 32, 24)).toEqual([0, 24, 48, 49]);
    expect(windowStarts(32, 32, 24)).toEqual([0]);
    expect(windowStarts(20, 32, 24)).toEqual([0]);
    expect(windowStarts(33, 32, 24)).toEqual([0, 1]);
  });

  for (const kind of WINDOW_WEIGHTS) {
    for (const [name, size] of SIZES) {
      test(`${name}, ${kind}: each voxel's weight is the sum of the windows' over it`, () => {
        const [nx, ny, nz] = size;
        const profile = windowProfile(PATCH, kind);
        const sums = new Float64Array(nx * ny * nz);
        for (const [z0, y0, x0] of windowGrid(size, PATCH, STRIDE)) {
          for (let z = z0; z < Math.min(nz, z0 + PATCH); z++) {
            for (let y = y0; y < Math.min(ny, y0 + PATCH); y++) {
              for (let x = x0; x < Math.min(nx, x0 + PATCH); x++) {
                const weight = profile[z - z0]! * profile[y - y0]! * profile[x - x0]!;
                sums[(z * ny + y) * nx + x]! += weight;
              }
            }
          }
        }
        const [cx, cy, cz] = size.map((n) => coverage(n, PATCH, STRIDE, profile));
        sums.forEach((sum, i) => {
          const [x, y, z] = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))];
          expect(sum).toBeGreaterThan(0);
          expect(Math.abs((cx![x]! * cy![y]! * cz![z]!) / sum - 1)).toBeLessThan(1e-6);
        });
      });
    }
  }

  test("the Gaussian has σ = edge / 8, is symmetric, and is nowhere near 0", () => {
    for (const patch of [1, 5, 8, 32, 48, 128]) {
      const profile = windowProfile(patch, "gaussian");
      const centre = (patch - 1) / 2;
      expect(Math.max(...profile)).toBe(1);
      expect([...profile].reverse()).toEqual([...profile]);
      expect(profile[0]! ** 3).toBeGreaterThan(1e-11);
      const ratio = Math.exp(-(centre ** 2 - (centre % 1) ** 2) / 2 / (patch / 8) ** 2);
      expect(profile[0]! / ratio).toBeCloseTo(1, 5);
    }
  });
});

describe("identity network", () => {
  for (const [name, size] of SIZES) {
    test(`${name}: the output is the input everywhere`, async () => {
      const image = noise(size[0] * size[1] * size[2], 1);
      const options = { patch: PATCH, stride: STRIDE, batch: 3 };
      const output = await predictVolume(memory, pointwise(memory), source(size, image), options);
      expect(output.length).toBe(image.length);
      expect(Math.max(...output.map((v, i) => Math.abs(v - image[i]!)))).toBeLessThan(2e-6);
    });
  }
});

/** Counts the runs of a program of this name during `action`. */
async function runsOf(name: string, action: () => Promise<unknown>): Promise<number> {
  const run = spyOn(Program.prototype, "run");
  await action();
  const count = run.mock.contexts.filter((program) => (program as Program).name === name).length;
  run.mockRestore();
  return count;
}

test("constant windows are computed once per distinct input, with the same bits", async () => {
  const size: Size3 = [40, 21, 26];
  const [visit1, visit2] = [1, 2].map((seed) => noise(40 * 21 * 26, seed));
  for (let i = 0; i < visit1!.length; i++) {
    const x = i % 40;
    if (x < 12) visit1![i] = visit2![i] = -0.5;
    else if (x >= 30) [visit1![i], visit2![i]] = [-0.25, 0.75];
  }
  const network = edgy(memory);
  const run = (everyWindow: boolean) => {
    const options = { patch: PATCH, stride: STRIDE, batch: 4, everyWindow };
    return predictVolume(memory, network, source(size, visit1!, visit2!), options);
  };
  const [once, every] = [await run(false), await run(true)];
  expect(once).toEqual(every);
  const key = ([z, y, x]: Window) =>
    x + PATCH <= 12 ? "left" : x >= 30 ? "right" : `${[z, y, x]}`;
  const windows = windowGrid(size, PATCH, STRIDE);
  const distinct = new Set(windows.map(key)).size;
  expect(distinct).toBeLessThan(windows.length);
  expect(await runsOf("predict", () => run(false))).toBe(Math.ceil(distinct / 4));
  expect(await runsOf("predict", () => run(true))).toBe(Math.ceil(windows.length / 4));
});

test("the size of the batches changes no bit, mirrored or not", async () => {
  const size: Size3 = [26, 15, 17];
  const [visit1, visit2] = [3, 4].map((seed) => noise(26 * 15 * 17, seed));
  const network = edgy(memory);
  for (const mirror of ["", "xz"] as const) {
    const run = (batch: number) => {
      const options = { patch: PATCH, stride: STRIDE, batch, mirror };
      return predictVolume(memory, network, source(size, visit1!, visit2!), options);
    };
    const one = await run(1);
    for (const batch of [3, 16]) expect(await run(batch)).toEqual(one);
  }
});

test("stages come in order, and every window's network run and addition is one", async () => {
  const stages: string[] = [];
  const options = {
    patch: PATCH,
    stride: STRIDE,
    batch: 4,
    onStage: (s: string) => stages.push(s),
  };
  const size: Size3 = [20, 14, 8];
  await predictVolume(memory, pointwise(memory), source(size, noise(20 * 14 * 8, 5)), options);
  const first = "compiling, first windows";
  expect(windowGrid(size, PATCH, STRIDE).length).toBe(6);
  expect(stages).toEqual([
    ...["volumes", "constant windows", first, first],
    ...["network", "overlap", "mean"],
  ]);
});

test("an aborted signal ends the prediction with its reason", async () => {
  const controller = new AbortController();
  controller.abort(new Error("stop"));
  const options = { patch: PATCH, stride: STRIDE, batch: 2, signal: controller.signal };
  const volume = source([9, 9, 9], noise(729, 1));
  await expect(predictVolume(memory, pointwise(memory), volume, options)).rejects.toThrow("stop");
});

test("the difference channel is visit 2 − visit 1", async () => {
  const size: Size3 = [11, 9, 13];
  const [first, second] = [noise(11 * 9 * 13, 1), noise(11 * 9 * 13, 2)];
  const network = pointwise(memory, [0, 0, 1]);
  const options = { patch: PATCH, stride: STRIDE, batch: 3, difference: true };
  const found = await predictVolume(memory, network, source(size, first, second), options);
  const apart = found.map((v, i) => Math.abs(v - (second[i]! - first[i]!)));
  expect(Math.max(...apart)).toBeLessThan(1e-6);
});
