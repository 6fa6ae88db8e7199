/** Checkpoints and maps that hold NaN or damage are never used: "no new lesion" is not their answer. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoredTensor } from "../src/data/safetensors";
import { readSafetensors, writeSafetensors } from "../src/data/safetensors_file";
import { Memory } from "../src/gpu/memory";
import { initialise } from "../src/nn/parameters";
import { tinyConfig } from "../src/portability/training_rig";
import { loadCheckpoint, saveCheckpoint } from "../src/run/checkpoint";
import { checkpointPaths } from "../src/run/run_folder";
import { modelInfo } from "../src/run/trained_weights";
import { makeTrainState, trainedParameters } from "../src/train/state";
import { expectRefusalOf, runDocumented } from "./cli_rig";
import { defaultDevice } from "./test_devices";
import { weightsContents, writeVisits } from "./weights_rig";

const device = await defaultDevice();
const memory = new Memory(device);
const folder = mkdtempSync(join(tmpdir(), "voxgrad-finite-"));
afterAll(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

let visits: string[];
beforeAll(async () => {
  visits = await writeVisits(folder);
});
const outputs = ["mask.nii.gz", "map.nii.gz", "report.json"].map((name) => join(folder, name));
const [mask, map, report] = outputs as [string, string, string];
const predict = (weights: string) => [
  ...[...visits, "-w", weights, "-o", mask, "--tune", "off"],
  ...["--probability", map, "--report", report],
];

function weightsWith(name: string, change: (tensors: Map<string, StoredTensor>) => void): string {
  const path = join(folder, name);
  writeSafetensors({ path, ...weightsContents(change) });
  return path;
}

test("predict: weights with a NaN or an infinity are refused, naming file and tensor", async () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const path = weightsWith("nan.safetensors", (tensors) => {
      (tensors.get("mid.conv1.weight")!.data as Float32Array)[5] = bad;
    });
    await expectRefusalOf(
      /nan\.safetensors: mid\.conv1\.weight holds 1 of 432 weights that are NaN or infinite/,
      "predict",
      ...predict(path),
    );
  }
});

test("predict: a map that is not finite is neither judged nor written", async () => {
  // Each weight is a number, what the head makes of them is not.
  const path = weightsWith("huge.safetensors", (tensors) => {
    (tensors.get("head.weight")!.data as Float32Array).set([3e38, -3e38, 3e38, -3e38]);
    (tensors.get("dec1.norm2.weight")!.data as Float32Array).fill(1e30);
  });
  await expectRefusalOf(
    /the probability map is NaN or infinite at \d+ of 1728 voxels/,
    "predict",
    ...predict(path),
  );
  for (const file of outputs) expect(existsSync(file), file).toBe(false);
});

test("predict: the same with usual weights answers", async () => {
  const { out, code } = await runDocumented("predict", ...predict(weightsWith("good", () => {})));
  expect(code).toBe(0);
  expect(out).toMatch(/new lesion/);
  for (const file of outputs) expect(existsSync(file), file).toBe(true);
});

const config = tinyConfig({ sampler: "uniform", batch: 2, deepSupervision: true });
const specs = trainedParameters(config);
const paths = checkpointPaths({ path: folder }, "last");
const progress = { iteration: 21, seconds: 1 };

/** All state of a training, with NaN at the end of one of its tensors. */
function stateWith(bad?: "student" | "momentum" | "m" | "v") {
  const state = makeTrainState(specs, config);
  const tensors = {
    ...{ student: state.student.flat, momentum: state.momentum.flat },
    ...{ m: state.m, v: state.v },
  };
  for (const [name, t] of Object.entries(tensors)) {
    const values = initialise(specs, 3);
    if (name === bad) values[values.length - 4] = Number.NaN;
    memory.write(t, values);
  }
  return state;
}
const save = (state: ReturnType<typeof stateWith>) =>
  saveCheckpoint(memory, state, specs, modelInfo(config), progress, paths);

test("a checkpoint with NaN in weights, heads or moments is not saved over a good one", async () => {
  await save(stateWith());
  const files = Object.values(paths);
  const before = files.map((path) => readFileSync(path));
  for (const bad of ["student", "momentum", "m", "v"] as const) {
    await expect(save(stateWith(bad)), bad).rejects.toThrow(
      /1 of \d+ values of \w+ are NaN or infinite at iteration 21: training diverged.*left as it was/,
    );
  }
  expect(files.map((path) => readFileSync(path))).toEqual(before);
});

test("a checkpoint with NaN is not resumed from", async () => {
  await save(stateWith());
  const load = () => loadCheckpoint(memory, makeTrainState(specs, config), specs, paths);
  expect(load().iteration).toBe(21);
  const path = paths.state;
  for (const name of ["w_momentum.enc1.conv1.weight", "w.head.bias", "m", "w.dec2.head.bias"]) {
    const whole = readSafetensors(path);
    const data = whole.tensors.get(name)?.data as Float32Array;
    expect(data, name).toBeDefined();
    const [first] = data;
    data[0] = Number.NaN;
    writeSafetensors({ path, ...whole });
    expect(load, name).toThrow(/not finite|NaN or infinite/);
    data[0] = first!;
    writeSafetensors({ path, ...whole });
  }
  expect(load().iteration).toBe(21);
});

test("a checkpoint with a flipped bit, or damaged progress, is not resumed from", async () => {
  await save(stateWith());
  const load = () => loadCheckpoint(memory, makeTrainState(specs, config), specs, paths);
  const bytes = readFileSync(paths.state);
  for (const share of [0.01, 0.2, 0.5, 0.9]) {
    const at = Math.floor(share * bytes.length);
    bytes[at]! ^= 4;
    writeFileSync(paths.state, bytes);
    expect(load, `byte ${at}`).toThrow(/damaged|not a usable safetensors file/);
    bytes[at]! ^= 4;
    writeFileSync(paths.state, bytes);
  }
  const whole = readSafetensors(paths.state);
  for (const [bad, message] of [
    [undefined, /how far the run has come: iteration is missing; the file is damaged/],
    ["garbage", /not valid JSON/],
    [{ ...progress, iteration: -5 }, /iteration is -5/],
    [{ ...progress, iteration: 1.5 }, /iteration is 1\.5/],
    [{ ...progress, iteration: "21" }, /iteration is "21"/],
    [{ ...progress, bestDice: 2 }, /bestDice is 2/],
  ] as const) {
    const { progress: _, ...others } = whole.metadata;
    const text = typeof bad === "string" ? bad : JSON.stringify(bad);
    const metadata = text === undefined ? others : { ...others, progress: text };
    writeSafetensors({ path: paths.state, ...whole, metadata });
    expect(load).toThrow(message);
  }
  writeSafetensors({ path: paths.state, ...whole });
  expect(load().iteration).toBe(21);
});
