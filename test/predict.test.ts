/** Prediction of a probability on the first visit's grid from two visits, all on the device. */
import { afterAll, expect, spyOn, test } from "bun:test";
import { conv3d } from "../kernels/conv3d/conv3d";
import type { Graph } from "../src/core/graph";
import { Philox } from "../src/core/random";
import { state, type Tensor } from "../src/core/tensor";
import { DeviceVolume } from "../src/data/device_volume";
import { DevicePair } from "../src/data/preprocess";
import { DeviceResampler, resampleOnDevice } from "../src/data/resample_device";
import type { Volume } from "../src/data/volume";
import type { PageRange } from "../src/data/volume_store";
import { Memory } from "../src/gpu/memory";
import { predictPair } from "../src/infer/ensemble";
import { type Member, predictProbability } from "../src/infer/predict";
import { TEST_UNET } from "../src/portability/test_unet";
import { defaultDevice } from "./test_devices";
import { edgy } from "./window_rig";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

const random = new Philox(5);
const image = (): Volume => ({
  size: [23, 19, 8],
  affine: [-0.8, 0, 0, 3, 0, -0.8, 0, 4, 0, 0, 2.5, -5, 0, 0, 0, 1],
  data: Float32Array.from({ length: 23 * 19 * 8 }, () => 100 + 30 * random.normal()),
});
const pair = { time1: image(), time2: image() };
const unet = TEST_UNET;

/** Gives back half the first visit. */
function half(g: Graph, x: Tensor): Tensor {
  const [w, b] = [state("w", [1, 2, 1, 1, 1]), state("b", [1])];
  memory.write(w, new Float32Array([0.5, 0]));
  return g.apply(conv3d, { x, w, b }, {}).y!;
}

test("prepared, predicted and mapped back: what the host's detour gives", async () => {
  const options = { spacing: 1, normalisation: "volume", difference: false } as const;
  const visits = await DevicePair.create(memory, pair, ["a", "b"], options);
  const { grid } = visits;
  const fill = (ranges: readonly PageRange[]) => visits.fill(ranges);
  const source = { id: "a", size: grid.size, lesions: [], fill };
  const windows = { patch: 8, stride: 6, windowWeights: "uniform", mirror: "" } as const;
  const members = [{ network: half, model: { unet, ...windows, ...options } }];
  const found = await predictProbability(memory, members, source, grid, pair.time1);
  const visit1 = await visits.read(0);
  const halves = visit1.map((v) => v / 2);
  const expected = await resampleOnDevice(memory, halves, grid, pair.time1, "trilinear");
  expect(found.size).toEqual(pair.time1.size);
  expect(found.affine).toEqual(pair.time1.affine);
  expect(Math.max(...found.data.map((v, i) => Math.abs(v - expected[i]!)))).toBeLessThan(2e-6);
  visits.release();
});

test("an ensemble: the mean of its members, whose preparation is made once where they share it", async () => {
  const windows = { patch: 8, stride: 6, windowWeights: "uniform", mirror: "" } as const;
  const seen = { spacing: 1, normalisation: "volume", difference: false } as const;
  const model = { unet, ...windows, ...seen };
  const members: Member[] = [
    { network: edgy(memory, 3), model },
    { network: edgy(memory, 4), model: { ...model, windowWeights: "gaussian", mirror: "y" } },
    { network: edgy(memory, 5), model },
    { network: edgy(memory, 6), model: { ...model, patch: 12, stride: 8 } },
    { network: edgy(memory, 7), model: { ...model, spacing: 1.5 } },
  ];
  const predict = (some: readonly Member[]) => predictPair(memory, some, pair, ["a", "b"]);
  const create = spyOn(DevicePair, "create");
  const before = memory.allocatedBytes;
  const progress: [number, number][] = [];
  const together = await predictPair(memory, members, pair, ["a", "b"], {
    onProgress: (done, total) => progress.push([done, total]),
  });
  expect(create).toHaveBeenCalledTimes(2);
  create.mockRestore();
  expect(memory.allocatedBytes).toBe(before);
  expect(progress.every(([done], i) => i === 0 || done > progress[i - 1]![0])).toBe(true);
  expect(progress.at(-1)![0]).toBe(progress.at(-1)![1]);
  const apart: Volume[] = [];
  for (const member of members) apart.push(await predict([member]));
  const differences = together.data.map((p, i) => {
    return Math.abs(p - apart.reduce((sum, { data }) => sum + data[i]!, 0) / members.length);
  });
  expect(Math.max(...differences)).toBeLessThan(2e-6);
  expect(together.size).toEqual(pair.time1.size);
});

test("a volume in slabs on the device: read, cut and resampled as a whole one", async () => {
  const { size, data } = pair.time1;
  const plane = size[0] * size[1];
  const volume = new DeviceVolume(memory, "test", size, 3 * plane);
  expect(volume.slabs.map(({ z0, planes }) => [z0, planes])).toEqual([
    [0, 3],
    [3, 3],
    [6, 2],
  ]);
  for (const { z0, planes, tensor } of volume.slabs) {
    memory.write(tensor, data.subarray(z0 * plane, (z0 + planes) * plane));
  }
  expect(await volume.read()).toEqual(data);
  const cut = state("cut", [5, size[1], size[0]]);
  volume.copyPlanes(2, 5, cut);
  expect(await memory.readF32(cut)).toEqual(data.slice(2 * plane, 7 * plane));
  const grid = { ...pair.time1, affine: pair.time1.affine.map((v, i) => (i === 10 ? 1.25 : v)) };
  const resampler = await DeviceResampler.create(memory, pair.time1, grid, "trilinear", {
    most: 8 * plane,
  });
  const resampled = await resampler.read((first, count, target) =>
    volume.copyPlanes(first, count, target),
  );
  const whole = await resampleOnDevice(memory, data, pair.time1, grid, "trilinear");
  expect(Math.max(...resampled.map((v, i) => Math.abs(v - whole[i]!)))).toBeLessThan(1e-3);
  resampler.release();
  volume.release();
  memory.release(cut);
});
