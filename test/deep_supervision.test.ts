/** Heads on the coarser levels: gradients against float64, and their absence from weights files. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Graph, type GraphOptions } from "../src/core/graph";
import { Philox } from "../src/core/random";
import { readSafetensors } from "../src/data/safetensors_file";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { LEVEL_WEIGHTS } from "../src/nn/deep_supervision";
import { initialise, toNamed, unetParameters } from "../src/nn/parameters";
import { gathered, tinyConfig, tinyStore } from "../src/portability/training_rig";
import { supervised64 } from "../src/reference/unet3d";
import { loadCheckpoint, saveCheckpoint } from "../src/run/checkpoint";
import { checkpointPaths } from "../src/run/run_folder";
import { modelInfo } from "../src/run/trained_weights";
import { loadWeights } from "../src/run/weights_file";
import { recordIteration } from "../src/train/iteration";
import { drawPatches } from "../src/train/sampler";
import { makeTrainState, trainedParameters, unetConfig } from "../src/train/state";
import { Trainer } from "../src/train/trainer";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

const BATCH = 2;
const config = tinyConfig({
  ...{ deepSupervision: true, sampler: "uniform", batch: BATCH, chunk: 1, diceEpsilon: 20 },
});
const specs = trainedParameters(config);
const weights = initialise(specs, 7);

/** The gradient that an iteration leaves for Adam, and the patches that it saw. */
async function gradient(options: GraphOptions & { readonly recompute?: boolean }) {
  const { recompute = false, ...graph } = options;
  const store = tinyStore(memory);
  await store.rotateTo(0);
  const train = makeTrainState(specs, { ...config, recompute });
  memory.write(train.student.flat, weights);
  const draw = { seed: 1, patch: 8, count: BATCH, positive: 0.7 };
  memory.write(train.coords, drawPatches(store.resident, 3, draw).corners);
  const g = new Graph(capabilities(device), graph);
  recordIteration(g, memory, store, train, { ...config, recompute });
  const program = await Program.compile(memory, g, "one iteration");
  program.run();
  const found = toNamed(specs, await memory.readF32(train.gradient.flat));
  const patches = await gathered(memory, store, train.coords);
  program.destroy();
  return { found, patches };
}

/** Central differences of the float64 loss along a random direction of one parameter tensor. */
function slope(name: string, patches: { x: Float32Array; y: Float32Array }, along: Float64Array) {
  // Small, for a rectifier that flips on the way would bend the loss.
  const h = 1e-8;
  const [ahead, behind] = [h, -h].map((step) => {
    const params = new Map<string, { shape: readonly number[]; data: ArrayLike<number> }>(
      toNamed(specs, weights),
    );
    const { shape, data } = params.get(name)!;
    const moved = Float64Array.from(data, (w, i) => w + step * along[i]!);
    params.set(name, { shape, data: moved });
    const net = unetConfig(config);
    return supervised64(params, net, { ...patches, n: BATCH }, config.diceEpsilon, LEVEL_WEIGHTS);
  });
  return (ahead! - behind!) / (2 * h);
}

/** The parts before, after and beside the extra heads; the rest is as in test/unet_golden.test.ts. */
const CHECKED = /head|enc1.conv1.weight|mid.norm2.weight|dec2.(conv1|norm2).weight/;

test("gradients against float64, fused, plain and computed again", async () => {
  const runs = [{}, { fuse: false }, { recompute: true }];
  const results: Awaited<ReturnType<typeof gradient>>[] = [];
  for (const options of runs) results.push(await gradient(options));
  const { patches } = results[0]!;
  expect(patches.y.some((label) => label > 0)).toBe(true);
  const checked = specs.filter(({ name }) => CHECKED.test(name));
  const slopes = checked.map(({ name }, i) => {
    const random = new Philox(11, i);
    const length = results[0]!.found.get(name)!.data.length;
    const along = Float64Array.from({ length }, () => random.normal());
    return { name, along, expected: slope(name, patches, along) };
  });
  const largest = Math.max(...slopes.map(({ expected }) => Math.abs(expected)));
  for (const { name, along, expected } of slopes) {
    results.forEach(({ found }, i) => {
      const got = found.get(name)!.data.reduce((sum, d, k) => sum + d * along[k]!, 0);
      const off = Math.abs(got - expected) / largest;
      expect(off, `${name} ${JSON.stringify(runs[i])}`).toBeLessThan(2e-5);
    });
    expect(Math.abs(expected) / largest, name).toBeGreaterThan(1e-4);
  }
});

test("the shares of the levels halve and add up to 1", () => {
  expect(LEVEL_WEIGHTS.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  for (let i = 1; i < LEVEL_WEIGHTS.length; i++) {
    expect(LEVEL_WEIGHTS[i]! * 2).toBeCloseTo(LEVEL_WEIGHTS[i - 1]!, 12);
  }
});

test("weights files hold the network alone; a checkpoint holds the heads too, bit for bit", async () => {
  const folder = mkdtempSync(join(tmpdir(), "voxgrad-supervision-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const mined = { ...config, sampler: "ohem" as const };
  const make = (seed: number) =>
    Trainer.create(memory, tinyStore(memory), { ...mined, batch: 4, seed });
  const [saved, other] = [await make(0), await make(1)];
  for (let i = 0; i < 2; i++) await saved.step(0);
  await saved.drain();
  const paths = checkpointPaths({ path: folder }, "last");
  const progress = { iteration: 2, seconds: 1 };
  const info = modelInfo(saved.config);
  await saveCheckpoint(memory, saved.state, saved.specs, info, progress, paths);
  const network = unetParameters(info.unet).map(({ name }) => name);
  for (const path of [paths.weights, paths.student]) {
    expect([...readSafetensors(path).tensors.keys()]).toEqual(network);
    expect(loadWeights(path).flat.every(Number.isFinite)).toBe(true);
  }
  loadCheckpoint(memory, other.state, other.specs, paths);
  for (const which of ["student", "momentum"] as const) {
    const [a, b] = await Promise.all(
      [saved, other].map(({ state }) => memory.readF32(state[which].flat)),
    );
    expect(b).toEqual(a!);
  }
});

test("a checkpoint without heads is refused by name", async () => {
  const folder = mkdtempSync(join(tmpdir(), "voxgrad-supervision-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const plain = await Trainer.create(memory, tinyStore(memory), tinyConfig());
  const paths = checkpointPaths({ path: folder }, "last");
  const progress = { iteration: 0, seconds: 0 };
  await saveCheckpoint(memory, plain.state, plain.specs, modelInfo(plain.config), progress, paths);
  const supervised = await Trainer.create(memory, tinyStore(memory), config);
  expect(() => loadCheckpoint(memory, supervised.state, supervised.specs, paths)).toThrow(
    /dec2\.head\.weight .* is missing/,
  );
});
