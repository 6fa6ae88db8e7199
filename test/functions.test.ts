/** Training and prediction called by a program: an observer instead of a terminal. */
import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMask } from "../src/data/nifti_read";
import { loadPair } from "../src/data/patient";
import { writePhantom } from "../src/data/phantom/cohort";
import { Memory } from "../src/gpu/memory";
import { answerPair } from "../src/infer/answer";
import { createFolds, trainFolds } from "../src/run/folds";
import { loadModels } from "../src/run/models";
import type { Observer } from "../src/run/observer";
import { predictFiles, writeAnswer } from "../src/run/predict_pair";
import { openRunFolder, readMetrics } from "../src/run/run_folder";
import { isLocked } from "../src/run/run_lock";
import { type TrainRequest, train } from "../src/run/train";
import { makeTrainConfig } from "../src/settings/presets";
import type { Metrics } from "../src/train/metrics";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const folder = mkdtempSync(join(tmpdir(), "voxgrad-functions-"));
const data = join(folder, "data");
const patient = join(data, "patient001");
const [t1 = "", t2 = ""] = ["01", "02"].map((n) =>
  join(patient, `flair_time${n}_on_middle_space.nii.gz`),
);
const config = makeTrainConfig("small", {
  ...{ filters: [8, 8, 8], patch: 16, stride: 12, spacing: 2, pool: 6, batch: 2 },
  ...{ iterations: 12, reportEvery: 2, validateEvery: 0.5 },
});
const tuning = { tune: "off", tuneSeconds: 1 } as const;
const request = (out: string): TrainRequest => ({
  ...{ config, data, val: ["patient001"], out: join(folder, out), ...tuning },
});

const outputs = [
  spyOn(process.stderr, "write"),
  spyOn(process.stdout, "write"),
  spyOn(console, "log"),
  spyOn(console, "error"),
];

beforeAll(async () => {
  mkdirSync(data);
  await writePhantom(data, { patients: 3, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
  for (const output of outputs) output.mockClear();
});

afterAll(() => {
  for (const output of outputs) output.mockRestore();
  device.destroy();
  rmSync(folder, { recursive: true });
});

/** An observer that remembers. */
class Record implements Observer {
  readonly notes: string[] = [];
  readonly events: string[] = [];
  readonly metrics: Metrics[] = [];
  readonly windows: [number, number][] = [];

  constructor(private readonly onReport: () => void = () => {}) {}

  note(line: string): void {
    this.notes.push(line);
  }
  onBegin(phase: string): void {
    this.events.push(`${phase} begins`);
  }
  onEnd(phase: string): void {
    this.events.push(`${phase} ends`);
  }
  onStage(stage: string): void {
    this.events.push(stage);
  }
  onMetrics(metrics: Metrics): void {
    this.metrics.push(metrics);
    this.onReport();
  }
  onWindows(done: number, total: number): void {
    this.windows.push([done, total]);
  }
}

function expectNoTerminal(): void {
  for (const output of outputs) expect(output).not.toHaveBeenCalled();
  expect(process.exitCode ?? 0).toBe(0);
}

const phases = ["pairs begins", "pairs ends", "training begins", "training ends"];

test("train gives a complete run folder, and tells the observer", async () => {
  const observer = new Record();
  const result = await train(device, request("whole"), observer);
  expect(result).toMatchObject({ path: join(folder, "whole"), iteration: 12, interrupted: false });
  expect(observer.events).toEqual(phases);
  expect(observer.notes.join("\n")).toMatch(/^preset small: filters 8\/8\/8, 2 mm/m);
  const reports = observer.metrics.filter(({ loss }) => loss !== undefined);
  expect(reports.map(({ iteration }) => iteration)).toEqual([2, 4, 6, 8, 10, 12]);
  expect(reports.at(-1)!.iterationsPerSecond).toBeGreaterThan(0);
  // Iterations that the device has not done yet do not count.
  const first = reports[0]!;
  expect(first.seconds).toBeCloseTo(1 / first.iterationsPerSecond!, 6);
  expect(first.seconds).toBeGreaterThan(reports[1]!.seconds / 10);
  expect(readMetrics({ path: result.path }).length).toBe(8);
  expect(existsSync(join(result.path, "validation.json"))).toBe(true);
  expect(isLocked(result.path)).toBe(false);
  expectNoTerminal();
});

test("a signal ends the training with all saved; going on gives the same weights", async () => {
  const controller = new AbortController();
  const observer = new Record(() => observer.metrics.length === 2 && controller.abort());
  const begun = await train(device, request("stopped"), observer, controller.signal);
  expect(begun.interrupted).toBe(true);
  expect(begun.iteration).toBeLessThan(12);
  const resumed = openRunFolder(begun.path);
  const ended = await train(device, { ...request("stopped"), resumed }, new Record());
  expect(ended).toMatchObject({ iteration: 12, interrupted: false });
  const [whole, parts] = ["whole", "stopped"].map((name) =>
    readFileSync(join(folder, name, "last.safetensors")),
  );
  expect(parts!.equals(whole!)).toBe(true);
  expectNoTerminal();
});

test("a signal before the run has begun leaves no folder, and is the reason that is thrown", async () => {
  const signal = AbortSignal.abort(new Error("no longer wanted"));
  const run = train(device, request("never"), new Record(), signal);
  await expect(run).rejects.toThrow("no longer wanted");
  expect(existsSync(join(folder, "never"))).toBe(false);
});

test("a cross-validation trains its folds in this process, and gives the table", async () => {
  const observer = new Record();
  const short = { ...config, iterations: 2, validateEvery: 1 };
  const all = await createFolds(short, { data, folds: 3, out: join(folder, "cv") }, observer);
  const trained: string[] = [];
  const trainFold = async (path: string) => {
    trained.push(path);
    const resumed = openRunFolder(path);
    await train(device, { config: short, resumed, ...tuning }, new Record());
    return 0;
  };
  const one = await trainFolds(all, { fold: 1, trainFold }, observer);
  expect(one).toEqual({ missing: [all.folds[0]!, all.folds[2]!] });
  const rest = await trainFolds(all, { trainFold }, observer);
  expect(trained).toEqual([1, 0, 2].map((k) => all.folds[k]!));
  expect(observer.notes.filter((line) => /training$/.test(line)).length).toBe(3);
  expect(rest).toEqual({ table: readFileSync(join(all.path, "cross_validation.txt"), "utf8") });
  const failed = await trainFolds(
    all,
    { budget: { iterations: 3 }, trainFold: async () => 7 },
    observer,
  );
  expect(failed).toEqual({ code: 7 });
  expectNoTerminal();
});

test("predict gives the answer of the files and tells the observer; in memory it is the same", async () => {
  const models = loadModels([join(folder, "whole")], {});
  const observer = new Record();
  const files = { t1, t2, models, precision: "f32", threshold: 0.25, ...tuning } as const;
  const answer = await predictFiles(files, async () => device, observer);
  expect(observer.events.slice(0, 6)).toEqual([
    ...["reading images", "opening the adapter", "tuning", "registration"],
    ...["where lesions may lie", "predicting begins"],
  ]);
  expect(observer.events.slice(-2)).toEqual(["lesions", "predicting ends"]);
  expect(observer.windows.at(-1)![0]).toBe(observer.windows.at(-1)![1]);
  expect(answer.findings.rule.threshold).toBe(0.25);
  const memory = new Memory(device);
  const { map, findings } = await answerPair(memory, models, await loadPair(t1, t2), [t1, t2], {
    rule: { threshold: 0.25 },
  });
  expect(memory.allocatedBytes).toBe(0);
  expect(map.data).toEqual(answer.map.data);
  expect(findings).toEqual(answer.findings);
  const [output, report] = ["mask.nii.gz", "report.json"].map((name) => join(folder, name));
  await writeAnswer(answer, models, { output: output!, report });
  expect((await readMask(output!)).data).toEqual(answer.findings.mask.data);
  expect(JSON.parse(readFileSync(report!, "utf8")).newLesions).toBe(findings.newLesions);
  expectNoTerminal();
});

test("a signal ends a prediction by its reason", async () => {
  const models = loadModels([join(folder, "whole")], {});
  const controller = new AbortController();
  const observer: Observer = {
    note: () => {},
    onBegin: () => controller.abort(new Error("enough")),
  };
  const files = { t1, t2, models, precision: "f32", ...tuning } as const;
  const predicting = predictFiles(files, async () => device, observer, controller.signal);
  await expect(predicting).rejects.toThrow("enough");
  expectNoTerminal();
});
