/** Overlap-averaged inference: coverage, identity, constant windows, slabs. */
import { afterAll, describe, expect, spyOn, test } from "bun:test";
import { conv3d } from "../kernels/conv3d";
import { sigmoid } from "../kernels/sigmoid";
import type { Graph } from "../src/core/graph";
import { Philox } from "../src/core/random";
import { state, type Tensor } from "../src/core/tensor";
import type { Size3 } from "../src/data/volume";
import type { VolumeSource } from "../src/data/volume_store";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { type Network, predictVolume } from "../src/infer/sliding_window";
import { coverage, type Window, windowGrid, windowStarts } from "../src/infer/windows";
import { defaultDevice } from "./test_devices";

const PATCH = 8;
const STRIDE = 6;
const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

function source(size: Size3, visit1: Float32Array, visit2 = visit1): VolumeSource {
  return { id: "test", size, lesions: [], load: async () => ({ visit1, visit2, labels: [] }) };
}

function noise(count: number, seed: number): Float32Array {
  const random = new Philox(seed, 7);
  return Float32Array.from({ length: count }, () => random.normal());
}

/** Gives back the first visit. */
function identity(): Network {
  const [w, b] = [state("w", [1, 2, 1, 1, 1]), state("b", [1])];
  memory.write(w, new Float32Array([1, 0]));
  memory.write(b, new Float32Array([0]));
  return (g: Graph, x: Tensor) => g.apply(conv3d, { x, w, b }, {}).y!;
}

/** A network whose output depends on the place in the window. */
function edgy(): Network {
  const [w, b] = [state("w", [1, 2, 3, 3, 3]), state("b", [1])];
  memory.write(w, noise(54, 3));
  memory.write(b, new Float32Array([0.1]));
  return (g: Graph, x: Tensor) => {
    const logits = g.apply(conv3d, { x, w, b }, {}).y!;
    return g.apply(sigmoid, { x: logits }, {}).y!;
  };
}

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

  for (const [name, size] of SIZES) {
    test(`${name}: each voxel's weight is the true count of windows over it`, () => {
      const [nx, ny, nz] = size;
      const counts = new Float64Array(nx * ny * nz);
      for (const [z0, y0, x0] of windowGrid(size, PATCH, STRIDE)) {
        for (let z = z0; z < Math.min(nz, z0 + PATCH); z++) {
          for (let y = y0; y < Math.min(ny, y0 + PATCH); y++) {
            for (let x = x0; x < Math.min(nx, x0 + PATCH); x++) counts[(z * ny + y) * nx + x]! += 1;
          }
        }
      }
      const [cx, cy, cz] = size.map((n) => coverage(n, PATCH, STRIDE));
      counts.forEach((count, i) => {
        const [x, y, z] = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))];
        expect(count).toBeGreaterThan(0);
        expect(cx![x]! * cy![y]! * cz![z]!).toBe(count);
      });
    });
  }
});

describe("identity network", () => {
  for (const [name, size] of SIZES) {
    test(`${name}: the output is the input everywhere`, async () => {
      const image = noise(size[0] * size[1] * size[2], 1);
      const options = { patch: PATCH, stride: STRIDE, batch: 3 };
      const output = await predictVolume(memory, identity(), source(size, image), options);
      expect(output.length).toBe(image.length);
      expect(Math.max(...output.map((v, i) => Math.abs(v - image[i]!)))).toBeLessThan(2e-6);
    });
  }
});

/** How often a program of this name runs during `action`. */
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
  const network = edgy();
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

test("the size of the batches changes no bit", async () => {
  const size: Size3 = [26, 15, 17];
  const [visit1, visit2] = [3, 4].map((seed) => noise(26 * 15 * 17, seed));
  const network = edgy();
  const run = (batch: number) => {
    const options = { patch: PATCH, stride: STRIDE, batch };
    return predictVolume(memory, network, source(size, visit1!, visit2!), options);
  };
  const one = await run(1);
  for (const batch of [3, 16]) expect(await run(batch)).toEqual(one);
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
  await predictVolume(memory, identity(), source(size, noise(20 * 14 * 8, 5)), options);
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
  await expect(predictVolume(memory, identity(), volume, options)).rejects.toThrow("stop");
});

test("the difference channel is visit 2 − visit 1", async () => {
  const size: Size3 = [11, 9, 13];
  const [first, second] = [noise(11 * 9 * 13, 1), noise(11 * 9 * 13, 2)];
  const [w, b] = [state("w", [1, 3, 1, 1, 1]), state("b", [1])];
  memory.write(w, new Float32Array([0, 0, 1]));
  memory.write(b, new Float32Array([0]));
  const network = (g: Graph, x: Tensor) => g.apply(conv3d, { x, w, b }, {}).y!;
  const options = { patch: PATCH, stride: STRIDE, batch: 3, difference: true };
  const found = await predictVolume(memory, network, source(size, first, second), options);
  const apart = found.map((v, i) => Math.abs(v - (second[i]! - first[i]!)));
  expect(Math.max(...apart)).toBeLessThan(1e-6);
});
