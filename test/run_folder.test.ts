import { expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  appendMetrics,
  checkpointPaths,
  createRunFolder,
  defaultRunPath,
  openRunFolder,
  raiseVersion,
  readMetrics,
  truncateMetrics,
} from "../src/run/run_folder";

const root = mkdtempSync(join(tmpdir(), "voxgrad-run-"));
const config = { preset: "paper", mu: 0.999 };
const split = { data: null, train: ["p1", "p2"], val: ["p3"] };
let made = 0;
const create = () => createRunFolder(join(root, "runs", String(made++)), config, split);

test("the default name is a sortable local time and the name of the run", () => {
  const now = new Date(2025, 0, 2, 3, 4, 5);
  expect(defaultRunPath("ohem a/b", now)).toBe(join("runs", "2025-01-02_03-04-05-ohem-a-b"));
});

test("a run is made and opened again", () => {
  const run = create();
  expect(openRunFolder(run.path)).toEqual({ path: run.path, config, split });
  const text = readFileSync(join(run.path, "config.json"), "utf8");
  expect(text).toBe('{\n  "voxgradRun": 2,\n  "preset": "paper",\n  "mu": 0.999\n}\n');
  expect(checkpointPaths(run, "best").student).toBe(join(run.path, "best.student.safetensors"));
});

test("an existing run is not overwritten, whatever part of it is left", () => {
  const run = create();
  expect(() => createRunFolder(run.path, config, split)).toThrow(
    /--resume .*or name another --out/,
  );
  writeFileSync(checkpointPaths(run, "last").weights, "");
  rmSync(join(run.path, "config.json"));
  expect(() => createRunFolder(run.path, config, split)).toThrow(/holds a training run already/);
});

test("what is not a run, a damaged run and a newer run are refused", () => {
  expect(() => openRunFolder(root)).toThrow(/holds no training run/);
  const run = create();
  writeFileSync(join(run.path, "split.json"), "{");
  expect(() => openRunFolder(run.path)).toThrow(/split.json: not valid JSON/);
  writeFileSync(join(run.path, "config.json"), '{"voxgradRun": 3}');
  expect(() => openRunFolder(run.path)).toThrow(/run version 3, this program knows up to 2/);
  const file = join(root, "file");
  writeFileSync(file, "");
  expect(() => createRunFolder(file, config, split)).toThrow(/cannot be made/);
});

test("a run of version 1 on the phantom, which names no data, is gone on with as of this one", () => {
  const run = create();
  writeFileSync(join(run.path, "config.json"), JSON.stringify({ voxgradRun: 1, ...config }));
  const { data: _, ...first } = split;
  writeFileSync(join(run.path, "split.json"), JSON.stringify(first));
  expect(openRunFolder(run.path)).toEqual({ path: run.path, config, split });
  raiseVersion(openRunFolder(run.path));
  expect(JSON.parse(readFileSync(join(run.path, "config.json"), "utf8")).voxgradRun).toBe(2);
  expect(openRunFolder(run.path)).toEqual({ path: run.path, config, split });
});

test("metrics are appended, read, and cut to the resumed iteration", () => {
  const run = create();
  expect(readMetrics(run)).toEqual([]);
  for (const iteration of [10, 20, 30]) {
    const loss = iteration === 20 ? Number.NaN : 1 / iteration;
    appendMetrics(run, { iteration, seconds: 1.5, loss, diceStudent: undefined });
  }
  // The program was killed while it wrote a line.
  appendFileSync(join(run.path, "metrics.jsonl"), '{"iteration":40,"los');
  expect(readMetrics(run)).toEqual([
    { iteration: 10, seconds: 1.5, loss: 0.1 },
    { iteration: 20, seconds: 1.5 },
    { iteration: 30, seconds: 1.5, loss: 1 / 30 },
  ]);
  truncateMetrics(run, 20);
  appendMetrics(run, { iteration: 21, seconds: 2 });
  expect(readMetrics(run).map(({ iteration }) => iteration)).toEqual([10, 20, 21]);
});

test("a damaged line in the middle of the metrics is named", () => {
  const run = create();
  appendMetrics(run, { iteration: 1, seconds: 1 });
  appendFileSync(join(run.path, "metrics.jsonl"), "garbage\n");
  appendMetrics(run, { iteration: 2, seconds: 2 });
  expect(() => readMetrics(run)).toThrow(/metrics.jsonl: line 2: not valid JSON; remove that line/);
});
