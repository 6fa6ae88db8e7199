/** `train --from`: a training that starts from given weights, and never returns worse ones. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../src/data/safetensors_file";
import { initialise, toNamed } from "../src/nn/parameters";
import { bestMark } from "../src/run/checkpoint";
import { sha256Of } from "../src/run/file_hash";
import type { Observer } from "../src/run/observer";
import { openRunFolder, readMetrics } from "../src/run/run_folder";
import { settingsOf } from "../src/run/start_parameters";
import { putStart, readStart } from "../src/run/start_weights";
import { type TrainRequest, train } from "../src/run/train";
import { isFinished, readValidation } from "../src/run/validation_record";
import type { StartParts } from "../src/settings/lineage";
import { makeTrainConfig } from "../src/settings/presets";
import { trainedParameters } from "../src/train/state";
import { expectRefusal, succeed } from "./cli_rig";
import { writeCohort } from "./faults/cohort";
import { differences } from "./faults/run_files";
import { defaultDevice } from "./test_devices";
import { weightsContents } from "./weights_rig";

const device = await defaultDevice();
const folder = mkdtempSync(join(tmpdir(), "voxgrad-start-"));
const data = join(folder, "data");
const first = join(folder, "first");
const weights = join(first, "best.safetensors");
const settings = {
  ...{ filters: [4, 8, 8], groups: 4, patch: 16, stride: 12, pool: 4, batch: 2 },
  ...{ iterations: 120, reportEvery: 5, validateEvery: 0.5, learningRate: 0.01 },
} as const;
const config = makeTrainConfig("small", { ...settings, filters: [4, 8, 8] });
const request = (out: string, changes: object = {}): TrainRequest => ({
  ...{ config: { ...config, ...changes }, data, val: ["p01"], tune: "off", tuneSeconds: 1 },
  out: join(folder, out),
});
const quiet: Observer = { note: () => {} };
const lineage = (parts: StartParts = "all") => [...readStart(weights, parts).lineage];
const tensorsOf = (path: string) => readSafetensors(path).tensors;

beforeAll(async () => {
  await writeCohort(data, 3);
  await train(device, request("first"), quiet);
});
afterAll(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

test("all of the weights, or all but the head; what exists in training alone stays random", () => {
  const given = tensorsOf(weights);
  for (const parts of ["all", "body"] as const) {
    const other = { ...config, deepSupervision: true, lineage: lineage(parts), seed: 9 };
    const specs = trainedParameters(other);
    const flat = initialise(specs, 9);
    putStart(other, flat, specs);
    const random = toNamed(specs, initialise(specs, 9));
    for (const [name, { data: values }] of toNamed(specs, flat)) {
      const isFresh = !given.has(name) || (parts === "body" && name.startsWith("head."));
      expect<unknown>(values, name).toEqual((isFresh ? random : given).get(name)!.data);
    }
  }
});

test("without learning it ends with the weights that it was given; their hash is recorded", async () => {
  const still = { learningRate: 1e-30, iterations: 4, lineage: lineage() };
  const { path } = await train(device, request("still", still), quiet);
  const given = tensorsOf(weights);
  for (const kind of ["last", "best"]) {
    for (const [name, { data: values }] of tensorsOf(join(path, `${kind}.safetensors`))) {
      const before = given.get(name)!.data as Float32Array;
      const off = (values as Float32Array).map((v, i) => Math.abs(v - before[i]!));
      expect(Math.max(...off), name).toBeLessThan(1e-6); // w̄ is an average: it rounds
    }
  }
  const sha256 = sha256Of(weights);
  expect(openRunFolder(path).config.lineage).toEqual([{ weights, sha256, parts: "all" }]);
  const { metadata } = readSafetensors(join(path, "best.safetensors"));
  const named = [{ weights: "best.safetensors", sha256, parts: "all" }];
  expect(JSON.parse(metadata.lineage!)).toEqual(named);
  // Weights of these weights name both.
  const next = readStart(path, "body").lineage;
  expect(JSON.stringify(next.slice(1))).toBe(JSON.stringify(named));
  expect(next[0]).toMatchObject({ parts: "body" });
});

test("what makes the weights worse is not kept, and --patience ends it", async () => {
  const spoilt = { learningRate: 0.5, iterations: 40, validateEvery: 0.1, patience: 2 };
  const given = bestMark({ path: first })!;
  const lines: string[] = [];
  const observer = { note: (line: string) => lines.push(line) };
  const changes = { ...spoilt, lineage: lineage() };
  const { path, iteration } = await train(device, request("spoilt", changes), observer);
  const validated = readMetrics({ path }).filter(({ perPatient }) => perPatient !== undefined);
  expect(validated.map((line) => line.iteration)).toEqual([0, 4, 8]);
  expect(validated[0]!.diceMomentum).toBeCloseTo(given.dice!, 10);
  expect(Math.max(...validated.slice(1).map((line) => line.diceMomentum!))).toBeLessThan(
    given.dice!,
  );
  expect(bestMark({ path })).toEqual({ iteration: 0, dice: given.dice });
  expect(tensorsOf(join(path, "best.safetensors"))).toEqual(tensorsOf(weights));
  expect(iteration).toBe(8);
  expect(lines.join("\n")).toMatch(
    /--patience 2: no better Dice since iteration 0; the run ends here/,
  );
  expect(readValidation({ path })!.endedEarly).toBe(true);
  expect(isFinished({ path }, spoilt)).toBe(true);
});

test("interrupted, it goes on to the same files; the given file is read by its hash", async () => {
  const changes = { lineage: lineage("body"), iterations: 20 };
  await train(device, request("whole", changes), quiet);
  const controller = new AbortController();
  const at5: Observer = {
    note: () => {},
    onMetrics: ({ iteration }) => iteration >= 5 && controller.abort(),
  };
  const run = request("run", changes);
  await train(device, run, at5, controller.signal);
  const path = join(folder, "run");
  await train(device, { ...run, out: undefined, resumed: openRunFolder(path) }, quiet);
  expect(differences(join(folder, "whole"), path)).toEqual([]);
  const [own] = lineage();
  const other = { lineage: [{ ...own!, sha256: "0".repeat(64) }] };
  await expect(train(device, request("other", other), quiet)).rejects.toThrow(
    /best\.safetensors: is another file than the one that the run was to start from/,
  );
});

test("patients that trained the given weights and validate now are told", async () => {
  const lines: string[] = [];
  const again = { lineage: lineage(), iterations: 1 };
  const observer = { note: (line: string) => lines.push(line) };
  await train(device, { ...request("seen", again), val: ["p02"] }, observer);
  expect(lines.join("\n")).toMatch(/warning: p02 validate, and .*their scores are too good/);
  lines.length = 0;
  await train(device, request("unseen", again), observer);
  expect(lines.join("\n")).not.toMatch(/too good/);
});

test("the settings of the network follow the file", () => {
  const { info } = readStart(first, "all");
  const followed = makeTrainConfig("paper", { ...settingsOf(info), iterations: 1 });
  const { filters, groups, alignCorners, spacing, normalisation, patch, stride } = config;
  expect(followed).toMatchObject({ filters, groups, alignCorners, spacing, normalisation });
  expect(followed).toMatchObject({ patch, stride, learningRate: 1e-3, preset: "paper" });
});

const common = ["--data", data, "--val", "p01", "--tune", "off", "--iterations", "2"];
const options = [...common, "--pool", "4", "--batch", "2", "--validate-every", "1"];

test("bun run train --from: it says what it starts from, and warns where an option differs", async () => {
  const out = join(folder, "cli");
  const more = ["--from", first, "--spacing", "1.5", "--patch", "8", "--no-align-corners"];
  const { err } = await succeed("train", ...options, ...more, "--out", out);
  const hash = sha256Of(weights).slice(0, 8);
  expect(err).toMatch(new RegExp(`starts from \\S+best\\.safetensors \\(SHA-256 ${hash}…\\)`));
  for (const differs of ["spacing 1.5", "patch 8", "no-align-corners|align-corners"]) {
    expect(err).toMatch(new RegExp(`warning: --${differs}`));
  }
  expect(err).not.toMatch(/warning: --(groups|normalisation|filters)/);
  const kept = JSON.parse(readFileSync(join(out, "config.json"), "utf8"));
  expect(kept).toMatchObject({ filters: [4, 8, 8], spacing: 1.5, patch: 8, stride: 6 });
});

test("weights that cannot be started from are refused in one line, before anything is made", async () => {
  const out = join(folder, "never");
  const refused = (what: RegExp, ...more: string[]) =>
    expectRefusal(what, "train", ...options, "--out", out, ...more);
  await refused(
    /none\.safetensors: .*(no such file|there is no)/,
    "--from",
    join(folder, "none.safetensors"),
  );
  await refused(
    /trained with --filters 4,8,8, .*leave the option out/,
    "--from",
    first,
    "--filters",
    "8,8,8",
  );
  await refused(/trained with --difference off/, "--from", first, "--difference");
  await refused(/--from-parts: .*--from/, "--from-parts", "body");
  await refused(/keeps its settings; leave out .*--from/, "--resume", first, "--from", first);
  const bad = join(folder, "bad.safetensors");
  writeSafetensors({ path: bad, ...weightsContents(), metadata: {} });
  await refused(/bad\.safetensors: its metadata names no voxgrad model/, "--from", bad);
  expect(existsSync(out)).toBe(false);
});
