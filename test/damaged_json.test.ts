/** Whatever stands in the JSON of a run, a cross-validation or an experiment: used, or refused in a line. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../src/core/errors";
import { readEnd, readSetup } from "../src/experiment/folder";
import { openCrossValidation } from "../src/run/cross_validation";
import {
  appendMetrics,
  createRunFolder,
  openRunFolder,
  readChoices,
  readMetrics,
  truncateMetrics,
  writeChoices,
} from "../src/run/run_folder";
import { readValidation } from "../src/run/validation_record";
import { makeTrainConfig } from "../src/settings/presets";
import { originOf } from "../src/synthesis/cohort";
import { expectRefusalOf } from "./cli_rig";

const root = mkdtempSync(join(tmpdir(), "voxgrad-json-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const config = makeTrainConfig("small", { iterations: 10 });
const split = { data: null, train: ["p1", "p2"], val: ["p3"] };
const run = createRunFolder(join(root, "run"), config, split);
const folds = join(root, "folds");
mkdirSync(folds);
const experiment = join(root, "experiment");
mkdirSync(join(experiment, "done"), { recursive: true });
const pair = join(root, "pair");
mkdirSync(pair);

/** Contents that no file may hold, then some of each file's own. */
const NEVER = ["", "{", "null", "7", '"x"', "[]", "[[[", "\0", `${"[".repeat(20_000)}`];
const json = (value: unknown) => JSON.stringify(value);

interface File {
  readonly path: string;
  readonly read: () => unknown;
  readonly bad: readonly (readonly [string, RegExp])[];
}

const patient = {
  ...{ id: "p3", reference: "a", prediction: "b", scores: {}, lesionFree: false },
  ...{ voxelVolumeMm3: 1, truePositives: 1, falsePositives: 1, falseNegatives: 1 },
  ...{ trueNegatives: 1, dice: 1, sensL: null, ppvL: 0, f1: null },
  ...{ referenceLesions: [], predictedLesions: [] },
  ...{ smallInReference: { components: 0, volumeMm3: 0 } },
};

const files: Record<string, File> = {
  "split.json": {
    path: join(run.path, "split.json"),
    read: () => openRunFolder(run.path),
    bad: [
      ["{}", /split\.json: data is missing; restore it, or start a new run/],
      [json({ data: null, train: "p1", val: [] }), /train is "p1": expected array/],
      [
        json({ data: null, train: [], val: ["p3"] }),
        /train is \[\]: expected array to have >=1 items/,
      ],
      [json({ data: null, train: ["p1", 7], val: [] }), /train\.1 is 7: expected string/],
      [json({ data: null, train: ["p1", "p3"], val: ["p3"] }), /names patient p3 twice/],
      [json({ train: ["p1"], val: ["p3"] }), /split\.json: data is missing/],
      [json({ ...split, data: 7 }), /data is 7/],
      [json({ ...split, test: [] }), /holds test, which this version of voxgrad does not know/],
    ],
  },
  "config.json": {
    path: join(run.path, "config.json"),
    read: () => openRunFolder(run.path),
    bad: [
      ["{}", /config\.json: voxgradRun is missing/],
      [json({ ...config, voxgradRun: -1 }), /voxgradRun is -1/],
      [json({ ...config, voxgradRun: 3 }), /run version 3, this program knows up to 2/],
      [json({ ...config, voxgradRun: "1" }), /voxgradRun is "1"/],
    ],
  },
  "choices.json": {
    path: join(run.path, "choices.json"),
    read: () => readChoices(run, "a"),
    bad: [
      ["{}", /choices\.json: adapter is missing; remove the file/],
      [json({ adapter: "a", variants: 7 }), /variants is 7: expected record/],
      [json({ adapter: "a", variants: { x: 1 } }), /variants\.x is 1: expected string/],
      [json({ adapter: "a", variants: { "window_batch P=32": "-1" } }), /a number from 1 to 9999/],
      [json({ adapter: "a", variants: { window_batch: "1e9" } }), /window_batch must be a number/],
    ],
  },
  "metrics.jsonl": {
    path: join(run.path, "metrics.jsonl"),
    read: () => readMetrics(run),
    bad: [
      ["{}\n", /metrics\.jsonl: line 1: iteration is missing; remove that line/],
      [`${json({ iteration: -5, seconds: 1 })}\n`, /iteration is -5/],
      [`${json({ iteration: 1.5, seconds: 1 })}\n`, /iteration is 1\.5: expected int/],
      [`${json({ iteration: 1, seconds: 1, loss: "1" })}\n`, /loss is "1": expected number/],
      [`${json({ iteration: 1, seconds: 1, perPatient: 3 })}\n`, /perPatient is 3/],
    ],
  },
  "validation.json": {
    path: join(run.path, "validation.json"),
    read: () => readValidation(run),
    bad: [
      [
        "{}",
        /validation\.json: iteration is missing; remove the file, and write it again by --res/,
      ],
      [json({ iteration: 1, seconds: 1, patients: [{}] }), /patients\.0\.\w+ is missing/],
      [
        json({ iteration: 1, seconds: 1, patients: [patient] }),
        /patients\.0\.scores\.Jaccard is mi/,
      ],
    ],
  },
  "folds.json": {
    path: join(folds, "folds.json"),
    read: () => openCrossValidation(folds),
    bad: [
      ["{}", /folds\.json: folds is missing; it should hold/],
      ['{"folds": 1e9}', /folds is 1000000000: expected number to be <=1000/],
      ['{"folds": 2.5}', /folds is 2\.5/],
      ['{"folds": 0}', /folds is 0/],
    ],
  },
  "experiment.json": {
    path: join(experiment, "experiment.json"),
    read: () => readSetup(experiment),
    bad: [
      ["{}", /experiment\.json: voxgradExperiment is missing; restore it/],
      ['{"voxgradExperiment": 2}', /voxgradExperiment is 2/],
    ],
  },
  "done/x.json": {
    path: join(experiment, "done", "x.json"),
    read: () => readEnd(experiment, "x"),
    bad: [['{"failed": 7}', /x\.json: failed is 7: .*; remove the file: the run then goes on/]],
  },
  "synthetic.json": {
    path: join(pair, "synthetic.json"),
    read: () => originOf(pair),
    bad: [
      ["{}", /synthetic\.json: patient is missing; .*remove the folder/],
      [json({ patient: "a", scan: "b", made: "c" }), /made is "c"/],
    ],
  },
};

describe.each(Object.entries(files))("%s", (_, { path, read, bad }) => {
  test("what is no JSON, or of another form", () => {
    let whole: string | undefined;
    try {
      whole = readFileSync(path, "utf8");
    } catch {} // This run has none.
    for (const text of [...NEVER, ...bad.map(([own]) => own)]) {
      // A line of metrics that is not finished is left out.
      writeFileSync(path, path.endsWith(".jsonl") && !text.endsWith("\n") ? `${text}\n` : text);
      expect(read, text.slice(0, 60)).toThrow(UserError);
      expect(read, text.slice(0, 60)).toThrow(/^[^\n]+$/);
    }
    for (const [text, message] of bad) {
      writeFileSync(path, text);
      expect(read, text).toThrow(message);
    }
    rmSync(path);
    mkdirSync(path);
    expect(read).toThrow(/cannot be read/);
    rmSync(path, { recursive: true });
    if (whole !== undefined) writeFileSync(path, whole);
  });
});

test("what was written is read, and a resumed run keeps the lines of metrics as they are", () => {
  expect(openRunFolder(run.path)).toEqual({ ...run, config: { ...config } });
  writeChoices(run, { adapter: "a", variants: { "window_batch P=32": "8", conv: "blocked" } });
  expect(readChoices(run, "a")?.variants.conv).toBe("blocked");
  expect(readChoices(run, "b")).toBeUndefined();
  const line = { loss: 1, zeta: [1], iteration: 1, seconds: 2 };
  for (const iteration of [1, 2]) appendMetrics(run, { ...line, iteration });
  truncateMetrics(run, 1);
  expect(readFileSync(join(run.path, "metrics.jsonl"), "utf8")).toBe(`${json(line)}\n`);
});

test("train --resume and predict: one line each", async () => {
  const resume = ["train", "--resume", run.path] as const;
  const write = (name: string, value: unknown) => writeFileSync(join(run.path, name), json(value));
  const refused = async (name: string, value: unknown, message: RegExp) => {
    const before = readFileSync(join(run.path, name), "utf8");
    write(name, value);
    await expectRefusalOf(message, ...resume);
    writeFileSync(join(run.path, name), before);
  };
  const { iterations: _, ...endless } = config;
  await refused("split.json", { data: null, train: "p1" }, /run\/split\.json: train is "p1"/);
  await refused("config.json", { voxgradRun: 1, ...endless }, /config\.json: .*are both absent/);
  const gaps = { voxgradRun: 1, ...config, stride: 1000 };
  await refused("config.json", gaps, /config\.json: --stride 1000 leaves gaps/);
  writeFileSync(join(folds, "folds.json"), '{"folds": 1e9}');
  const images = ["-t1", "a.nii", "-t2", "b.nii", "-o", join(root, "m.nii"), "-w", folds];
  await expectRefusalOf(/folds\.json: folds is 1000000000/, "predict", ...images);
  await expectRefusalOf(/folds\.json: folds is 1000000000/, "train", "--resume", folds);
}, 60_000);
