/** Commands that start in one moment: each has its folder for itself, or is refused before it writes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSetup } from "../src/experiment/folder";
import { openCrossValidation } from "../src/run/cross_validation";
import { openRunFolder } from "../src/run/run_folder";
import { makeTrainConfig } from "../src/settings/presets";
import { run, runDocumented } from "./cli_rig";
import { atOnce } from "./faults/at_once";
import { writeCohort } from "./faults/cohort";
import { differences } from "./faults/run_files";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-starts-"));
const data = join(folder, "data");
const sizes = ["--preset", "small", "--filters", "4,8,8", "--groups", "4", "--patch", "16"];
const batches = ["--pool", "4", "--batch", "2", "--iterations", "4", "--tune", "off"];
const settings = [...sizes, ...batches, "--data", data];

beforeAll(() => writeCohort(data, 3));
afterAll(() => rmSync(folder, { recursive: true }));

const STARTS = 10;
const config = makeTrainConfig("small", { iterations: 4 });
const split = { data, train: ["p01", "p02"], val: ["p03"] };

test("train: of ten starts with one --out, one trains, with its own settings and split", async () => {
  const out = join(folder, "run");
  const all = await Promise.all(
    Array.from({ length: STARTS }, (_, seed) =>
      runDocumented("train", ...settings, "--seed", `${seed}`, "--out", out),
    ),
  );
  const winners = all.flatMap(({ code }, seed) => (code === 0 ? [seed] : []));
  expect(winners.length, all.map(({ err }) => err).join("\n")).toBe(1);
  for (const { code, err } of all.filter((left) => left.code !== 0)) {
    expect(err.trimEnd().split("\n").at(-1)).toMatch(
      /^voxgrad: \S+run: (process \d+ on \S+ trains in this folder since|holds a training run)/,
    );
    expect(code).toBe(2);
  }
  const alone = join(folder, "alone");
  const { code } = await run("train", ...settings, "--seed", `${winners[0]}`, "--out", alone);
  expect(code).toBe(0);
  expect(differences(alone, out)).toEqual([]);
});

test("runs and folds without --out: ten starts in one second have ten folders", async () => {
  const imports = {
    NewRun: "src/run/new_run.ts",
    newCrossValidation: "src/run/cross_validation.ts",
  };
  const runs = await atOnce(
    ...([STARTS, folder, imports] as const),
    `const run = NewRun.named("x"); run.begin({ seed: k }, ${JSON.stringify(split)});
     run.release(); return k;`,
  );
  expect(runs.map(({ value }) => value)).toEqual([...runs.keys()]);
  const config = JSON.stringify(makeTrainConfig("small", { iterations: 4 }));
  const folds = await atOnce(
    ...([STARTS, folder, imports] as const),
    `const start = { config: { ...${config}, seed: k }, split: ${JSON.stringify(split)} };
     return newCrossValidation("y", [start, start]).path;`,
  );
  expect(new Set(folds.map(({ value }) => value)).size).toBe(STARTS);
  const names = readdirSync(join(folder, "runs"));
  for (const kind of ["x", "y"]) {
    const made = names.filter((name) => new RegExp(`-${kind}(-\\d+)?$`).test(name));
    const seeds = made.map((name) => {
      const path = join(folder, "runs", name);
      const [first] = openCrossValidation(path)?.folds ?? [path];
      return openRunFolder(first!).config.seed;
    });
    expect(seeds.sort()).toEqual([...runs.keys()]);
  }
});

test("folds with one --out and other settings: one makes them, the others are refused", async () => {
  const out = join(folder, "cv");
  const all = await atOnce(
    ...([STARTS, folder, { createCrossValidation: "src/run/cross_validation.ts" }] as const),
    `const start = { config: { ...${JSON.stringify(config)}, seed: k }, split: ${JSON.stringify(split)} };
     createCrossValidation(${JSON.stringify(out)}, [start, start]); return k;`,
  );
  const winners = all.flatMap(({ value }) => (value === undefined ? [] : [value]));
  expect(winners.length).toBe(1);
  for (const { error } of all.filter(({ value }) => value === undefined)) {
    expect(error).toMatch(/was made with another seed/);
  }
  for (const fold of openCrossValidation(out)!.folds) {
    expect(openRunFolder(fold).config.seed).toBe(winners[0]);
  }
  const refused = await run("train", ...settings, "--out", out);
  expect(refused.err).toMatch(/cv: holds a training run already/);
});

test("experiment: the first record stays, and all work by it", async () => {
  const out = join(folder, "experiment");
  const all = await atOnce(
    ...([STARTS, folder, { writeSetup: "src/experiment/folder.ts" }] as const),
    `return writeSetup(${JSON.stringify(out)}, {
       voxgradExperiment: 1, grid: "", data: "", validation: ["p"], lesionFree: [], trained: 1,
       budget: { iterations: k + 1 }, adapter: "" });`,
  );
  const winners = all.flatMap(({ value }, k) => (value === true ? [k] : []));
  expect(winners.length).toBe(1);
  expect(readSetup(out)?.budget).toEqual({ iterations: winners[0]! + 1 });
});

test("synthesise and phantom: a folder is of one seed", async () => {
  const imports = {
    writeSynthetic: "src/synthesis/cohort.ts",
    findSources: "src/synthesis/sources.ts",
  };
  const out = join(folder, "synthetic");
  const all = await atOnce(
    ...([STARTS, folder, imports] as const),
    `const options = { sources: findSources([${JSON.stringify(data)}]), phantoms: 0, masks: [], pairs: 0,
       seed: k };
     await writeSynthetic(${JSON.stringify(out)}, options); return k;`,
  );
  const winners = all.flatMap(({ value }) => (value === undefined ? [] : [value]));
  expect(winners.length).toBe(1);
  const { seed } = JSON.parse(readFileSync(join(out, "synthesis.json"), "utf8"));
  expect(seed).toBe(winners[0]);
  const phantom = join(folder, "phantom");
  mkdirSync(phantom);
  const claims = await atOnce(
    ...([STARTS, folder, { claimPhantom: "src/data/phantom/cohort.ts" }] as const),
    `return claimPhantom(${JSON.stringify(phantom)});`,
  );
  expect(claims.filter(({ value }) => value === true).length).toBe(1);
  const refused = await run("phantom", phantom);
  expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("is not empty") });
});

test("a run that cannot begin leaves no folder", async () => {
  const out = join(folder, "nothing");
  const { code } = await run("train", ...settings, "--val", "nobody", "--out", out);
  expect(code).toBe(2);
  expect(existsSync(out)).toBe(false);
});
