/** Whole volumes, averaged over windows, flips and networks, against float64. */
import { afterAll, describe, expect, test } from "bun:test";
import type { Size3 } from "../src/data/volume";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { flipsOf } from "../src/infer/mirror";
import { predictOnDevice, predictVolume, storeSource } from "../src/infer/sliding_window";
import { MIRRORS } from "../src/settings/names";
import { defaultDevice } from "./test_devices";
import { type Averaging, averagedByHand, edgy, noise, pointwise, source } from "./window_rig";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

/** Largest difference, where rounding of a few hundred terms is all that may differ. */
function expectClose(found: Float32Array, expected: Float64Array): void {
  expect(found.length).toBe(expected.length);
  expect(Math.max(...found.map((p, i) => Math.abs(p - expected[i]!)))).toBeLessThan(3e-6);
}

const CASES: readonly [string, Size3, Averaging][] = [
  [
    "gaussian, odd sizes",
    [17, 11, 13],
    { patch: 8, stride: 6, windowWeights: "gaussian", mirror: "" },
  ],
  [
    "gaussian, smaller than a window",
    [5, 9, 3],
    { patch: 8, stride: 6, windowWeights: "gaussian", mirror: "" },
  ],
  [
    "gaussian, little overlap",
    [25, 9, 10],
    { patch: 8, stride: 8, windowWeights: "gaussian", mirror: "" },
  ],
  ["uniform, xyz", [13, 9, 11], { patch: 8, stride: 5, windowWeights: "uniform", mirror: "xyz" }],
  ["gaussian, y", [9, 17, 8], { patch: 8, stride: 6, windowWeights: "gaussian", mirror: "y" }],
  ["gaussian, xz", [15, 7, 12], { patch: 12, stride: 4, windowWeights: "gaussian", mirror: "xz" }],
];

describe("whole volumes against float64", () => {
  for (const [name, size, averaging] of CASES) {
    test(name, async () => {
      const visits = [1, 2].map((seed) => noise(size[0] * size[1] * size[2], seed));
      const volume = source(size, visits[0]!, visits[1]);
      const found = await predictVolume(memory, edgy(memory), volume, { ...averaging, batch: 5 });
      expectClose(found, averagedByHand(size, visits, averaging));
    });
  }
});

test.skipIf(!capabilities(device).shaderF16)(
  "mirrored in f16: windows come back whole",
  async () => {
    const size: Size3 = [11, 9, 13];
    const visit = noise(11 * 9 * 13, 7);
    const options = { patch: 8, stride: 6, batch: 3, mirror: "xz", precision: "f16" } as const;
    const network = pointwise(memory, [1, 0]);
    const found = await predictVolume(memory, network, source(size, visit), options);
    expectClose(found, Float64Array.from(new Float16Array(visit)));
  },
);

test("mirroring constant windows: computed once a flip, and as if they were not constant", async () => {
  const size: Size3 = [26, 9, 11];
  const visits = [3, 4].map((seed) => noise(26 * 9 * 11, seed));
  for (const visit of visits) for (let i = 0; i < visit.length; i++) if (i % 26 < 17) visit[i] = 2;
  const averaging = { patch: 8, stride: 5, windowWeights: "gaussian", mirror: "xy" } as const;
  const totals: number[] = [];
  const options = { ...averaging, batch: 3, onProgress: (_: number, n: number) => totals.push(n) };
  const volume = source(size, visits[0]!, visits[1]);
  const found = await predictVolume(memory, edgy(memory), volume, options);
  expectClose(found, averagedByHand(size, visits, averaging));
  expect(totals.at(-1)).toBe(5 * 2 * 2 * 4);
});

test("networks that share windows are averaged on the device, each with its own batch", async () => {
  const size: Size3 = [14, 11, 9];
  const visits = [5, 6].map((seed) => noise(14 * 11 * 9, seed));
  const averaging = { patch: 8, stride: 6, windowWeights: "gaussian", mirror: "z" } as const;
  const stored = storeSource(memory, source(size, visits[0]!, visits[1]), 8);
  const networks = [3, 8, 9].map((seed, i) => ({ network: edgy(memory, seed), batch: 2 + i }));
  const mean = await predictOnDevice(memory, networks, stored, averaging);
  const single = [3, 8, 9].map((seed) => averagedByHand(size, visits, averaging, seed));
  expectClose(
    await mean.read(),
    single[0]!.map((p, i) => (p + single[1]![i]! + single[2]![i]!) / 3),
  );
  mean.release();
  stored.store.release();
});

test("flips are all subsets of the axes", () => {
  const counts = MIRRORS.map((axes) => new Set(flipsOf(axes)).size);
  expect(counts).toEqual(MIRRORS.map((axes) => 2 ** axes.length));
  expect(flipsOf("")).toEqual([0]);
  expect(flipsOf("xz")).toEqual([0, 1, 4, 5]);
});
