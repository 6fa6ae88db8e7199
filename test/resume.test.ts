/** A run that is gone on with: it ends as one that nothing interrupted, and damage is refused. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import {
  appendFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCohort } from "../src/data/cohort";
import { readMask } from "../src/data/nifti_read";
import { loadPatient } from "../src/data/patient";
import { readSafetensors, writeSafetensors } from "../src/data/safetensors_file";
import { bestMark } from "../src/run/checkpoint";
import type { Observer } from "../src/run/observer";
import { checkpointPaths, openRunFolder, readMetrics } from "../src/run/run_folder";
import { drawRunPatients } from "../src/run/run_pictures";
import { type TrainRequest, train } from "../src/run/train";
import { validationsDue } from "../src/run/validation_plan";
import { makeTrainConfig } from "../src/settings/presets";
import { expectRefusalOf } from "./cli_rig";
import { writeCohort } from "./faults/cohort";
import { differences } from "./faults/run_files";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const folder = mkdtempSync(join(tmpdir(), "voxgrad-resume-"));
const data = join(folder, "data");
const [whole, run] = [join(folder, "whole"), join(folder, "run")];
const config = makeTrainConfig("small", {
  ...{ filters: [4, 8, 8], groups: 4, patch: 16, stride: 12, pool: 4, batch: 2 },
  ...{ iterations: 40, reportEvery: 6, validateEvery: 0.3, telemetry: "full" },
});
const request: Omit<TrainRequest, "out"> = {
  ...{ config, data, val: ["p01"], tune: "off", tuneSeconds: 1 },
};

/** Validations: after 12, 24 and 36 of 40 iterations, and at the end. */
const VALIDATED = [12, 24, 36, 40];

beforeAll(async () => {
  await writeCohort(data, 3);
  await train(device, { ...request, out: whole }, { note: () => {} });
});
beforeEach(() => rmSync(run, { recursive: true, force: true }));
afterAll(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

/** Trains in `run` until a report of this iteration, whose signal ends it soon; the last iteration. */
async function interruptAt(iteration: number): Promise<number> {
  const controller = new AbortController();
  const observer: Observer = {
    note: () => {},
    onMetrics: (metrics) => metrics.iteration >= iteration && controller.abort(),
  };
  const out = await train(device, { ...request, out: run }, observer, controller.signal);
  expect(out.interrupted).toBe(true);
  expect(out.iteration).toBeLessThan(iteration + 6);
  return out.iteration;
}

/** Goes on to the end; the lines that it said. */
async function goOn(): Promise<string> {
  const lines: string[] = [];
  const observer = { note: (line: string) => lines.push(line) };
  await train(device, { ...request, resumed: openRunFolder(run) }, observer);
  return lines.join("\n");
}

const validated = (path: string) =>
  readMetrics({ path }).flatMap(({ iteration, diceMomentum }) =>
    diceMomentum === undefined ? [] : [iteration],
  );

test("validations fall on the iterations that are meant, and the best one is kept with its score", () => {
  expect(validated(whole)).toEqual(VALIDATED);
  const metrics = readMetrics({ path: whole });
  const best = metrics.findLast(
    ({ diceMomentum = -1 }) =>
      diceMomentum === Math.max(...metrics.map((m) => m.diceMomentum ?? -1)),
  )!;
  expect(bestMark({ path: whole })).toEqual({
    iteration: best.iteration,
    dice: best.diceMomentum,
  });
});

test.each([
  ["between two reports", 18],
  ["as a validation begins", 24],
])("interrupted %s, a run ends with the same files", async (_, iteration) => {
  await interruptAt(iteration);
  expect(validated(run)).not.toContain(24);
  await goOn();
  expect(differences(whole, run)).toEqual([]);
});

test("a checkpoint is its state file: weights files of another moment change nothing", async () => {
  await interruptAt(18);
  for (const part of ["last.safetensors", "last.student.safetensors"]) {
    cpSync(join(whole, part), join(run, part));
  }
  await goOn();
  expect(differences(whole, run)).toEqual([]);
});

test("best weights of an interrupted validation are saved; a worse one does not replace them", async () => {
  await interruptAt(18);
  const { weights: path } = checkpointPaths({ path: run }, "best");
  const found = readSafetensors(path);
  const best = JSON.stringify({ iteration: 12, dice: 1 });
  writeSafetensors({ path, ...found, metadata: { ...found.metadata, checkpoint: best } });
  await goOn();
  expect(bestMark({ path: run })).toEqual({ iteration: 12, dice: 1 });
  expect(readSafetensors(path).tensors).toEqual(found.tensors);
});

test("reports after the checkpoint are made again; lost ones before it cost a line", async () => {
  const saved = await interruptAt(18);
  const path = join(run, "metrics.jsonl");
  appendFileSync(path, `{"iteration":${saved + 1},"seconds":1}\n{"iteration":${saved + 2},"lo`);
  await goOn();
  expect(differences(whole, run)).toEqual([]);
  rmSync(run, { recursive: true });
  await interruptAt(18);
  writeFileSync(path, readFileSync(path, "utf8").split("\n").slice(0, 2).join("\n"));
  expect(await goOn()).toMatch(/metrics\.jsonl ends at iteration 6; .*up to iteration 18 are lost/);
  expect(validated(run).slice(1)).toEqual([24, 36, 40]); // the lost one is made now
});

test("a picture that cannot be drawn costs a line, not the run; no patient takes the curves' name", async () => {
  await interruptAt(18);
  for (const name of ["curves.png", "p01.png"]) {
    rmSync(join(run, name), { force: true });
    mkdirSync(join(run, name));
  }
  const said = await goOn();
  for (const name of ["curves.png", "p01.png"]) {
    expect(said).toMatch(new RegExp(`${name}: cannot be written: is a folder`));
    expect(lstatSync(join(run, name)).isDirectory()).toBe(true);
  }
  const { patients } = await openCohort(data);
  const truth = await readMask(patients[0]!.truth);
  const curves = { patient: { ...patients[0]!, id: "curves" }, truth };
  const [folder, masks] = [openRunFolder(run), new Map([["curves", truth]])];
  const visits = async () => {
    const { time1, time2 } = await loadPatient(curves.patient);
    return { visit1: time1, visit2: time2 };
  };
  await drawRunPatients(folder, [curves], visits, masks, 1, {
    note: (line) => expect(line).toBe(""),
  });
  expect(existsSync(join(run, "patient-curves.png"))).toBe(true);
});

test("a run of an earlier version, whose state file holds no weights, goes on", async () => {
  await interruptAt(18);
  const { state: path } = checkpointPaths({ path: run }, "last");
  const { tensors, metadata } = readSafetensors(path);
  const kept = new Map(["m", "v"].map((name) => [name, tensors.get(name)!]));
  const { reported: _, ...progress } = JSON.parse(metadata.progress!);
  const older = { ...metadata, progress: JSON.stringify({ ...progress, bestDice: 0.1 }) };
  writeSafetensors({ path, tensors: kept, metadata: older });
  const settings = join(run, "config.json");
  writeFileSync(
    settings,
    readFileSync(settings, "utf8").replace('"voxgradRun": 2', '"voxgradRun": 1'),
  );
  await goOn();
  // It held no losses: the next report begins after the checkpoint.
  const other = differences(whole, run);
  expect(other.filter((name) => !/^metrics|\.state\./.test(name))).toEqual([]);
});

test("a damaged checkpoint is refused in one line, and what the run has told stays", async () => {
  const saved = await interruptAt(18);
  const { state: path } = checkpointPaths({ path: run }, "last");
  const told = readFileSync(join(run, "metrics.jsonl"), "utf8");
  const { tensors, metadata } = readSafetensors(path);
  const progress = JSON.parse(metadata.progress!);
  for (const [text, what] of [
    [undefined, /iteration is missing/],
    ["garbage", /not valid JSON/],
    [{ ...progress, iteration: -5 }, /iteration is -5: expected number to be >=0/],
    [{ ...progress, iteration: 1.5 }, /iteration is 1\.5: expected int/],
    [{ ...progress, iteration: "21" }, /iteration is "21": expected number/],
    [{ ...progress, iteration: 1e15 }, /iteration is 1000000000000000: expected number to be <=/],
    [{ ...progress, seconds: -1 }, /seconds is -1/],
    [{ ...progress, reported: saved + 1 }, /its report \d+ is after iteration \d+/],
    [{ ...progress, bestDice: 2 }, /bestDice is 2/],
    [{ ...progress, dice: 2 }, /dice is 2/],
  ] as const) {
    const { progress: _, ...others } = metadata;
    const json = typeof text === "object" ? JSON.stringify(text) : text;
    const changed = json === undefined ? others : { ...others, progress: json };
    writeSafetensors({ path, tensors, metadata: changed });
    await expect(goOn(), String(json)).rejects.toThrow(what);
    await expect(goOn()).rejects.toThrow(
      /^\S+last\.state\.safetensors: how far .*start a new run$/,
    );
  }
  await expectRefusalOf(/last\.state\.safetensors: .*dice is 2/, "train", "--resume", run);
  renameSync(path, `${path}.gone`);
  await expectRefusalOf(/last\.state\.safetensors: is missing.*restore it/, ...resumeOf(run));
  expect(readFileSync(join(run, "metrics.jsonl"), "utf8")).toBe(told);
});

const resumeOf = (path: string) => ["train", "--resume", path] as const;

test("the number of validations that are due is counted in whole numbers", () => {
  const due = (iterations: number, validateEvery: number, iteration: number) =>
    validationsDue({ iterations, validateEvery }, { iteration, seconds: 0 });
  // In floating point 0.6 / 0.1 is less than 6, and 0.07 · 100 is more than 7.
  expect([59, 60, 61, 70, 99, 100].map((n) => due(100, 0.1, n))).toEqual([5, 6, 6, 7, 9, 10]);
  expect([6, 7, 13, 14].map((n) => due(100, 0.07, n))).toEqual([0, 1, 1, 2]);
  expect([20, 21, 40, 41, 60].map((n) => due(60, 0.334, n))).toEqual([0, 1, 1, 2, 2]);
  expect([0, 9, 10].map((n) => due(10_000_000, 1e-6, n))).toEqual([0, 0, 1]);
  expect(due(10, 0, 10)).toBe(0);
  expect(due(10, 1, 10)).toBe(1);
  const inTime = { seconds: 100, iterations: undefined, validateEvery: 0.25 };
  expect(validationsDue(inTime, { iteration: 3, seconds: 51 })).toBe(2);
});
