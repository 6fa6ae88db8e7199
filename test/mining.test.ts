/** Mining: the selection of patches against a small one on the host, telemetry, resuming. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KEY_AT } from "../kernels/mining/sampling_keys";
import { UserError } from "../src/core/errors";
import { Graph } from "../src/core/graph";
import { VolumeStore } from "../src/data/volume_store";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { initialise, unetParameters } from "../src/nn/parameters";
import { gathered, noiseVolume, tinyConfig, tinyStore } from "../src/portability/training_rig";
import { exponentials } from "../src/reference/sampling_keys";
import { selected } from "../src/reference/top_b";
import { loadCheckpoint, saveCheckpoint } from "../src/run/checkpoint";
import { checkpointPaths } from "../src/run/run_folder";
import { modelInfo } from "../src/run/trained_weights";
import { checkUse, type TrainSettings } from "../src/settings/config";
import { recordIteration } from "../src/train/iteration";
import { positivePlaces, putSelectionKey } from "../src/train/mining";
import { drawPatches } from "../src/train/sampler";
import { makeTrainState, unetConfig } from "../src/train/state";
import { type Statistics, Trainer } from "../src/train/trainer";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

const trainer = (changes: Partial<TrainSettings>) =>
  Trainer.create(memory, tinyStore(memory), tinyConfig(changes));

async function steps(t: Trainer, count: number): Promise<Trainer> {
  for (let i = 0; i < count; i++) await t.step(0);
  await t.drain();
  return t;
}

describe("selection is what the host selects by the same errors", () => {
  const cases: Partial<TrainSettings>[] = [
    { miningError: "topk-ce", topkPercent: 2 },
    { miningError: "fp-fn" },
    { positiveQuota: 0.4 },
    { positiveQuota: 0.8, miningError: "fp-fn" },
    { selection: "proportional" },
    { selection: "proportional", positiveQuota: 0.6 },
    { loss: "batch-dice-ce", selection: "proportional" },
  ];
  for (const changes of cases) {
    test(JSON.stringify(changes), async () => {
      const config = tinyConfig(changes);
      // Large enough that most places have no lesion.
      const options = { half: false, budget: 2 ** 24, patch: 8 };
      const store = VolumeStore.create(memory, [noiseVolume("a", [43, 31, 29], 1)], options);
      await store.rotateTo(0);
      const specs = unetParameters(unetConfig(config));
      const train = makeTrainState(specs, config);
      for (const { flat } of [train.student, train.momentum]) {
        memory.write(flat, initialise(specs, 5));
      }
      const draw = { seed: 1, patch: 8, count: 12, positive: 0.4 };
      memory.write(train.coords, drawPatches(store.resident, 3, draw).corners);
      const step = new Float32Array(16);
      putSelectionKey(step, 1, 3);
      memory.write(train.step, step);
      const g = new Graph(capabilities(device));
      const { indices, errors } = recordIteration(g, memory, store, train, config);
      const program = await Program.compile(memory, g, "one iteration", [indices!, errors]);
      program.run();
      const chosen = await memory.readU32(indices!, program.bufferOf(indices!));
      const found = await memory.readF32(errors, program.bufferOf(errors));

      const { y } = await gathered(memory, store, train.coords);
      const lesionVoxels = (n: number) => y.subarray(n * 512, (n + 1) * 512).filter(Boolean).length;
      const sums = Float64Array.from({ length: 36 }, (_, i) => lesionVoxels(Math.floor(i / 3)));
      const variates = exponentials([...step.subarray(KEY_AT, KEY_AT + 4)], 12);
      const drawn = changes.selection === "proportional";
      const keys = Float64Array.from(found, (e, i) => (drawn ? e / variates[i]! : e));
      const attrs = { count: config.batch, positives: positivePlaces(config) };
      expect([...chosen]).toEqual(selected(keys, attrs, sums));
      const positives = [...chosen].filter((i) => lesionVoxels(i) > 0).length;
      if (attrs.positives !== undefined) expect(positives).toBe(attrs.positives);
    });
  }
});

test("the first of the drawn patches is each in proportion to its error", () => {
  const errors = [0.5, 0.1, 0.25, 0, 0.15];
  const firsts = errors.map(() => 0);
  const draws = 20_000;
  for (let t = 0; t < draws; t++) {
    const step = new Float32Array(16);
    putSelectionKey(step, 7, t);
    const variates = exponentials([...step.subarray(KEY_AT, KEY_AT + 4)], errors.length);
    const keys = Float64Array.from(errors, (e, i) => Math.max(e, 1e-30) / variates[i]!);
    firsts[selected(keys, { count: 1 })[0]!]!++;
  }
  // Four standard deviations of a share.
  errors.forEach((e, i) => {
    expect(Math.abs(firsts[i]! / draws - e)).toBeLessThanOrEqual(
      4 * Math.sqrt((e * (1 - e)) / draws),
    );
  });
});

test("drawn selections go on bit for bit after a checkpoint", async () => {
  const folder = mkdtempSync(join(tmpdir(), "voxgrad-mining-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const changes = { selection: "proportional", positiveQuota: 0.5, loss: "batch-dice-ce" } as const;
  const whole = await steps(await trainer(changes), 6);
  const first = await steps(await trainer(changes), 3);
  const paths = checkpointPaths({ path: folder }, "last");
  const progress = { iteration: 3, seconds: 1 };
  const info = modelInfo(first.config);
  await saveCheckpoint(memory, first.state, first.specs, info, progress, paths);
  const resumed = await Trainer.create(memory, tinyStore(memory), tinyConfig(changes), {
    restore: (state, specs) => loadCheckpoint(memory, state, specs, paths),
  });
  await steps(resumed, 3);
  for (const which of ["student", "momentum"] as const) {
    const [a, b] = await Promise.all(
      [whole, resumed].map((t) => memory.readF32(t.state[which].flat)),
    );
    expect(b).toEqual(a!);
  }
});

async function reported(changes: Partial<TrainSettings>, count: number) {
  const t = await trainer({ reportEvery: 3, ...changes });
  await steps(t, count);
  let statistics: Statistics | undefined;
  await t.report((s) => {
    statistics = s;
  });
  await t.drain();
  return { ...statistics!, student: await memory.readF32(t.state.student.flat) };
}

describe("telemetry", () => {
  test("with μ = 0 w̄ is w: all agree", async () => {
    const s = await reported({ telemetry: "full", mu: 0, muRamp: false }, 7);
    expect(s.poolAgreement).toBeCloseTo(1, 6);
    expect(s.selectionAgreement).toBe(1);
    expect(s.selectedAgreement).toBeCloseTo(1, 6);
    expect([0, 0.2, 0.4, 0.6, 0.8, 1]).toContain(Math.round(10 * s.selectionOverlap!) / 10);
  });

  test("w̄ that lags agrees less, w̄ that stands still selects the same", async () => {
    const changes = { telemetry: "full", mu: 1, muRamp: false, learningRate: 0.03 } as const;
    const s = await reported(changes, 6);
    expect(s.selectionOverlap).toBe(1);
    expect(s.poolAgreement).toBeLessThan(0.99);
  });

  test("it changes no bit of the training, and is not there where nothing is ranked", async () => {
    const [basic, full] = [await reported({}, 6), await reported({ telemetry: "full" }, 6)];
    expect(full.student).toEqual(basic.student);
    expect(basic.poolAgreement).toBeUndefined();
    expect(full.poolAgreement).toBeDefined();
    const uniform = await reported({ sampler: "uniform", telemetry: "full" }, 3);
    expect(uniform.poolAgreement ?? uniform.selectedAgreement).toBeUndefined();
    expect(uniform.gradientLesion).toBeGreaterThan(0);
  });

  test("gradient norms: parts of each other, and alike for f32 and f16 with its loss scale", async () => {
    const uniform = { sampler: "uniform", positive: 0.5, batch: 6, loss: "dice-ce" } as const;
    const s = await reported(uniform, 3);
    expect(s.gradientEmpty).toBeGreaterThan(0);
    expect(s.gradientEmpty).toBeLessThan(s.gradientOther!);
    if (!capabilities(device).shaderF16) return;
    const half = await reported({ ...uniform, precision: "f16" }, 3);
    for (const name of ["gradientLesion", "gradientOther", "gradientEmpty"] as const) {
      expect(half[name]! / s[name]!).toBeCloseTo(1, 1);
    }
  });
});

test("settings that do nothing are refused in one line", () => {
  const uniform = { sampler: "uniform", miningError: "loss" };
  expect(() => checkUse(uniform, ["positiveQuota"])).toThrow(UserError);
  expect(() => checkUse(uniform, ["positiveQuota"])).toThrow(/^--positive-quota [^\n]*$/);
  expect(() => checkUse({ ...uniform, sampler: "ohem" }, ["topkPercent"])).toThrow(/topk-ce/);
  checkUse({ sampler: "ohem", miningError: "topk-ce" }, ["topkPercent", "selection"]);
});
