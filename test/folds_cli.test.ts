/** `train --folds`: folds apart and together, interrupted and gone on with, and the table over all. */
import { beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writePhantom } from "../src/data/phantom/cohort";
import { createFolds, trainFolds } from "../src/run/folds";
import { loadModels } from "../src/run/models";
import { readMetrics } from "../src/run/run_folder";
import { readValidation } from "../src/run/validation_record";
import { makeTrainConfig } from "../src/settings/presets";
import { expectRefusal, start, succeed } from "./cli_rig";
import { once } from "./once";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-folds-"));
const data = join(folder, "data");
const out = join(folder, "cv");
const sizes = ["--filters", "8,8,8", "--patch", "16", "--spacing", "2"];
const batches = ["--pool", "6", "--batch", "2", "--iterations", "12", "--report-every", "2"];
const folds = ["--data", data, "--folds", "3", "--out", out, ...sizes, ...batches];
const fold = (k: number) => join(out, `fold${k}`);
const weightsOf = (k: number) => readFileSync(join(fold(k), "last.safetensors"));

beforeAll(async () => {
  mkdirSync(data);
  await writePhantom(data, { patients: 3, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
});

const TABLE = join(out, "cross_validation.txt");

/** Fold 1 alone; what it says, and what is there of the others then. */
const oneFold = once(async () => {
  const { err } = await succeed("train", ...folds, "--fold", "1");
  const others = [TABLE, join(fold(0), "last.safetensors")].filter((path) => existsSync(path));
  return { err, others, weights: weightsOf(1) };
});

/** The other folds: one process that is interrupted, then two; what the two say. */
const allFolds = once(async () => {
  await oneFold();
  const child = start("train", folds);
  while (readMetrics({ path: fold(0) }).length === 0 && child.exitCode === null) {
    await Bun.sleep(20);
  }
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
  expect(await new Response(child.stderr).text()).toContain(`--resume ${out}`);
  expect(readValidation({ path: fold(0) })).toBeUndefined();
  // Two that start at the same moment share the folds; the last one to end makes the table.
  return await Promise.all([0, 1].map(() => succeed("train", "--resume", out)));
});

test("one fold of three: its own run folder, and no table yet", async () => {
  const { err, others } = await oneFold();
  expect(err).toContain(`not finished: ${fold(0)}, ${fold(2)}`);
  expect(readValidation({ path: fold(1) })?.iteration).toBe(12);
  expect(others).toEqual([]);
});

test("the others, interrupted and gone on with by two processes: the table over all patients", async () => {
  const both = await allFolds();
  for (const { err } of both) expect(err).not.toContain(`${fold(1)}: training`);
  const text = both.map((ended) => ended.out).find((table) => table !== "")!;
  expect(weightsOf(1)).toEqual((await oneFold()).weights);
  expect(text).toMatch(/^fold 2: 1 patients, Dice .*12 iterations/m);
  expect(text).toMatch(/^tuned on the other folds( +(\d+\.\d{3}|–)){3} +\d of \d +\d of \d$/m);
  expect(readFileSync(TABLE, "utf8")).toBe(text.slice(0, -1));
  const rows = readFileSync(join(out, "cross_validation.csv"), "utf8").trim().split("\r\n");
  const ids = rows.slice(1).map((row) => row.split(",")[0]);
  expect(ids.sort()).toEqual(["patient001", "patient002", "patient003"]);
  for (const [k, record] of [0, 1, 2].map((k) => [k, readValidation({ path: fold(k) })] as const)) {
    const split = JSON.parse(readFileSync(join(fold(k), "split.json"), "utf8"));
    expect(record!.patients.map(({ id }) => id)).toEqual(split.val);
    expect(split.train).not.toContain(split.val[0]);
    expect(statSync(record!.patients[0]!.prediction).size).toBeGreaterThan(0);
  }
  const { summary } = JSON.parse(readFileSync(join(out, "cross_validation.json"), "utf8"));
  expect(summary.withLesions.patients + summary.lesionFree.patients).toBe(3);
});

test("predict takes the folder: the best weights of every fold, and thresholds from all patients", async () => {
  await allFolds();
  const models = loadModels([out], {});
  expect(models.map(({ path }) => path)).toEqual(
    [0, 1, 2].map((k) => join(fold(k), "best.safetensors")),
  );
  expect(models.flatMap(({ sweeps }) => sweeps ?? []).length).toBe(3);
});

test("in parts: each fold is in one of them", async () => {
  const config = makeTrainConfig("small", { spacing: 2, iterations: 1 });
  const quiet = { note: () => {} };
  const all = await createFolds(config, { data, folds: 3, out: join(folder, "parts") }, quiet);
  const begun = [1, 2].map(async (index) => {
    const folders: string[] = [];
    const trainFold = async (path: string) => folders.push(path) - folders.length;
    await trainFolds(all, { shard: { index, of: 2 }, trainFold }, quiet);
    return folders;
  });
  const [fold0, fold1, fold2] = all.folds as [string, string, string];
  expect(await Promise.all(begun)).toEqual([[fold0, fold2], [fold1]]);
  await expectRefusal(
    /--shard is of a cross-validation/,
    "train",
    "--data",
    data,
    "--shard",
    "1/2",
  );
  const both = ["--fold", "1", "--shard", "1/2"];
  await expectRefusal(/--fold names one fold/, "train", "--resume", all.path, ...both);
});

test("what does not fit is refused in one line", async () => {
  await oneFold();
  await expectRefusal(/was made with another seed/, "train", ...folds, "--seed", "5");
  await expectRefusal(/has 3 folds, not 2/, "train", ...folds, "--folds", "2");
  await expectRefusal(/--folds 9: .*from 2 to 3/, "train", ...folds, "--folds", "9");
  await expectRefusal(/--fold 3: .*0 to 2/, "train", "--resume", out, "--fold", "3");
  await expectRefusal(/keeps its settings.*--seed/, "train", "--resume", out, "--seed", "5");
  const other = join(folder, "other");
  mkdirSync(other);
  await expectRefusal(/no cross-validation/, "train", ...folds, "--out", other);
});
