/** Algorithm 1: selection, momentum, its special cases, repeatability, and the cost of a step. */
import { afterAll, describe, expect, test } from "bun:test";
import { dice, patchLoss } from "../kernels/loss/patch_loss";
import { Graph } from "../src/core/graph";
import { state } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { initialise, toNamed, unetParameters } from "../src/nn/parameters";
import { gathered, relativeL2, tinyConfig, tinyStore } from "../src/portability/training_rig";
import { unet64 } from "../src/reference/unet3d";
import { recordIteration } from "../src/train/iteration";
import { drawPatches } from "../src/train/sampler";
import { LOG_COLUMNS, makeTrainState, unetConfig } from "../src/train/state";
import { Trainer } from "../src/train/trainer";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

async function trained(changes: Parameters<typeof tinyConfig>[0], steps: number) {
  const config = tinyConfig(changes);
  const trainer = await Trainer.create(memory, tinyStore(memory), config);
  for (let i = 0; i < steps; i++) await trainer.step(0);
  await trainer.drain();
  const student = await memory.readF32(trainer.state.student.flat);
  const momentum = await memory.readF32(trainer.state.momentum.flat);
  const log = await memory.readF32(trainer.state.log);
  return {
    trainer,
    student,
    momentum,
    losses: log.filter((_, i) => i % LOG_COLUMNS === 0 && i / LOG_COLUMNS < steps),
  };
}

test("selected indices are the stable top B of the float64 errors", async () => {
  const config = tinyConfig();
  const store = tinyStore(memory);
  await store.rotateTo(0);
  const specs = unetParameters(unetConfig(config));
  const train = makeTrainState(specs, config);
  const weights = initialise(specs, 5);
  memory.write(train.student.flat, weights);
  memory.write(train.momentum.flat, weights);
  const drawing = { seed: 1, patch: 8, count: 12, positive: 0.4 };
  memory.write(train.coords, drawPatches(store.resident, 3, drawing).corners);
  const g = new Graph(capabilities(device));
  const { indices } = recordIteration(g, memory, store, train, config);
  const program = await Program.compile(memory, g, "one iteration", [indices!]);
  program.run();
  const selected = await memory.readU32(indices!, program.bufferOf(indices!));

  const { x, y } = await gathered(memory, store, train.coords);
  const errors = unet64(toNamed(specs, weights), unetConfig(config), x, y, config.diceEpsilon, 12);
  const order = errors.map((_, i) => i).sort((a, b) => errors[b]! - errors[a]! || a - b);
  expect([...selected]).toEqual(order.slice(0, config.batch));
});

describe("momentum", () => {
  test("μ = 0: w̄ is w, bit for bit", async () => {
    const { student, momentum } = await trained({ mu: 0, muRamp: false }, 3);
    expect(momentum).toEqual(student);
  });

  test("μ = 1: w̄ keeps its start weights, bit for bit", async () => {
    const { student, momentum } = await trained({ mu: 1, muRamp: false }, 3);
    const start = initialise(unetParameters({ inChannels: 2, filters: [8, 8, 8] }), 0);
    expect(momentum).toEqual(start);
    expect(relativeL2(student, start)).toBeGreaterThan(1e-3);
  });
});

test("the uniform sampler keeps the average of the weights too", async () => {
  const { student, momentum } = await trained({ sampler: "uniform", mu: 0.75, muRamp: false }, 1);
  const start = initialise(unetParameters({ inChannels: 2, filters: [8, 8, 8] }), 0);
  const average = start.map((w, i) => 0.75 * w + 0.25 * student[i]!);
  expect(relativeL2(momentum, average)).toBeLessThan(1e-6);
  expect(relativeL2(momentum, start)).toBeGreaterThan(1e-4);
});

test("B = B̄ equals plain training, but for the order of the sums", async () => {
  const mined = await trained({ pool: 6, batch: 6, mu: 0.9 }, 4);
  const plain = await trained({ pool: 6, batch: 6, mu: 0.9, sampler: "uniform" }, 4);
  const apart = mined.losses.map((loss, i) => Math.abs(loss - plain.losses[i]!));
  expect(Math.max(...apart)).toBeLessThan(1e-4);
  expect(relativeL2(mined.student, plain.student)).toBeLessThan(1e-3);
});

test("gradients do not depend on how the batch is cut into dispatches", async () => {
  const [whole, cut] = [await trained({ chunk: 16 }, 2), await trained({ chunk: 2 }, 2)];
  expect(relativeL2(cut.student, whole.student)).toBeLessThan(1e-3);
});

test("the same seed gives the same bits over 20 iterations", async () => {
  const [first, second] = [await trained({}, 20), await trained({}, 20)];
  expect(second.losses).toEqual(first.losses);
  expect(second.student).toEqual(first.student);
  expect(second.momentum).toEqual(first.momentum);
  const other = await trained({ seed: 1 }, 20);
  expect(other.losses).not.toEqual(first.losses);
});

test("patients that rotate through a small budget: repeatable too", async () => {
  const config = tinyConfig();
  const oneVolume = 4 * 17 * 14 * 13 * 2.1;
  const runs: Float32Array[] = [];
  for (let run = 0; run < 2; run++) {
    const store = tinyStore(memory, false, oneVolume);
    expect(store.complete).toBe(false);
    const trainer = await Trainer.create(memory, store, config);
    for (let i = 0; i < 3; i++) await trainer.step(0);
    await trainer.drain();
    runs.push(await memory.readF32(trainer.state.student.flat));
  }
  expect(runs[1]).toEqual(runs[0]!);
});

test("volumes in half precision train alike", async () => {
  const [full] = (await trained({}, 1)).losses;
  const trainer = await Trainer.create(memory, tinyStore(memory, true), tinyConfig());
  await trainer.step(0);
  await trainer.drain();
  const [half] = await memory.readF32(trainer.state.log);
  expect(Math.abs(half! - full!)).toBeLessThan(1e-3);
});

test("after the first step nothing is created: no buffer, no bind group, no pipeline", async () => {
  const trainer = await Trainer.create(memory, tinyStore(memory), tinyConfig());
  await trainer.step(0);
  const created: string[] = [];
  const gpu = device.device as unknown as Record<string, (...args: unknown[]) => unknown>;
  const names = ["createBuffer", "createBindGroup", "createComputePipelineAsync"];
  const originals = names.map((name) => gpu[name]!);
  names.forEach((name, i) => {
    gpu[name] = (...args) => {
      created.push(name);
      return originals[i]!.apply(device.device, args);
    };
  });
  try {
    for (let i = 0; i < 3; i++) await trainer.step(0);
    await trainer.report(() => {});
    await trainer.drain();
  } finally {
    names.forEach((name, i) => {
      gpu[name] = originals[i]!;
    });
  }
  expect(created).toEqual([]);
});

test("a tensor that passes the adapter's limit is refused by name at plan time", async () => {
  const g = new Graph(capabilities(device));
  const huge = state("huge_logits", [1, 1, 2048, 2048, 2048]);
  g.apply(patchLoss, { logits: huge, target: huge }, dice(1));
  await expect(Program.compile(memory, g, "huge")).rejects.toThrow(/huge_logits.*MiB/);
});
