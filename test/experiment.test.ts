/** Experiments: grids, intervals, curves, and the command end to end on a tiny phantom. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Philox } from "../src/core/random";
import { writePhantom } from "../src/data/phantom/cohort";
import { claimRun } from "../src/experiment/folder";
import { plannedRuns, readGrid, trainArguments } from "../src/experiment/grid";
import { crossedBootstrap, meanCurve, type Point } from "../src/experiment/results";
import { once } from "./once";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-experiment-"));
const fig2 = join(import.meta.dir, "../src/experiment/fig2.yaml");

function gridFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("grid", () => {
  test("fig2 has the paper's arms; arms with equal settings share a run", () => {
    const grid = readGrid(fig2);
    expect(grid.figures.map(({ arms }) => Object.keys(arms).length)).toEqual([8, 3]);
    const runs = plannedRuns(grid, [0, 1]);
    expect(runs.length).toBe(22);
    expect(new Set(runs.map(({ id }) => id)).size).toBe(22);
    expect(runs.slice(0, 11).every(({ seed }) => seed === 0)).toBe(true);
    expect(runs.map(({ id }) => id)).toContain("ohem-mu-0.999-seed1");
    const twins = structuredClone(grid);
    twins.figures[1]!.arms = { "the same": { mu: 0.9, sampler: "ohem" } };
    expect(plannedRuns(twins, [0]).length).toBe(8);
  });

  test("settings become options of train", () => {
    expect(trainArguments({ mu: 0.9, "mu-ramp": false, recompute: true })).toEqual([
      ...["--mu", "0.9", "--no-mu-ramp", "--recompute"],
    ]);
  });

  test("a wrong grid is refused, by file and place", () => {
    const start = "title: t\nquestion: q\nseeds: [0]\n";
    const figure = "figures:\n  - { name: f, title: t, arms: { a: { mu: 0 } }";
    for (const [text, what] of [
      ["a: [", /cannot be read as YAML/],
      [`${start}figures: []\n`, /figures: /],
      [`${start}${figure}, baseline: b }\n`, /baseline "b" is none of its arms \(a\)/],
      [`${start}settings: { seed: 1 }\n${figure} }\n`, /seed is set by the experiment/],
      [`${start}${figure} }\n  - { name: f, title: t, arms: { a: {} } }\n`, /named f/],
    ] as const) {
      const path = gridFile("wrong.yaml", text);
      expect(() => readGrid(path)).toThrow(what);
      expect(() => readGrid(path)).toThrow(path);
    }
  });
});

describe("results", () => {
  test("the interval holds the truth as often as it says, over patients and seeds", () => {
    // Patients and seeds have effects of their own: what the crossed bootstrap is for.
    const random = new Philox(7);
    let held = 0;
    const rounds = 60;
    for (let round = 0; round < rounds; round++) {
      const patients = Array.from({ length: 12 }, () => 0.2 * random.normal());
      const table = Array.from({ length: 8 }, () => {
        const seed = 0.2 * random.normal();
        return patients.map((patient) => patient + seed + 0.1 * random.normal());
      });
      const { low, high } = crossedBootstrap(table);
      if (low <= 0 && high >= 0) held++;
    }
    expect(held / rounds).toBeGreaterThan(0.8);
    expect(held).toBeLessThan(rounds + 1);
  });

  test("a table of equal values has no width, and the same table gives the same interval", () => {
    const same = crossedBootstrap([
      [0.5, 0.5],
      [0.5, 0.5],
    ]);
    expect(same).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
    const table = [
      [0.1, 0.7, 0.4],
      [0.2, 0.9, 0.1],
    ];
    const interval = crossedBootstrap(table);
    expect(crossedBootstrap(table)).toEqual(interval);
    expect(interval.low).toBeLessThan(interval.mean);
    expect(interval.high).toBeGreaterThan(interval.mean);
  });

  test("curves are averaged where all of them exist, straight between validations", () => {
    const at = (seconds: number, dice: number): Point => ({ seconds, patches: 2 * seconds, dice });
    const curves = [
      [at(10, 0), at(30, 1)],
      [at(20, 0.5), at(40, 0.5)],
    ];
    const bands = meanCurve(curves, "seconds");
    expect([bands[0]!.x, bands.at(-1)!.x]).toEqual([20, 30]);
    expect(bands[0]).toEqual({ x: 20, mean: 0.5, low: 0.5, high: 0.5 });
    expect(bands.at(-1)).toEqual({ x: 30, mean: 0.75, low: 0.5, high: 1 });
    expect(meanCurve([[at(1, 0)], [at(2, 0)]], "patches")).toEqual([]);
    expect(meanCurve([], "seconds")).toEqual([]);
  });
});

describe("the command", () => {
  const data = join(folder, "data");
  const out = join(folder, "out");
  const settings =
    "{ filters: '8,8,8', patch: 16, stride: 12, spacing: 2, pool: 4, batch: 2, tune: 'off' }";
  const text = [
    "title: Tiny",
    "question: Does it run?",
    "seeds: [0]",
    `settings: ${settings}`,
    "figures:",
    "  - name: tiny",
    "    title: Two arms",
    "    arms:",
    "      uniform: { sampler: uniform }",
    '      "OHEM, μ = 0": { sampler: ohem, mu: 0 }',
    "  - name: twin",
    "    title: The same again",
    "    arms: { again: { mu: 0, sampler: ohem } }",
  ].join("\n");
  const grid = gridFile("tiny.yaml", text);

  beforeAll(async () => {
    mkdirSync(data);
    await writePhantom(data, { patients: 3, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
  });

  async function run(...args: string[]) {
    const script = join(import.meta.dir, "../src/cli/experiment.ts");
    const child = Bun.spawn([process.execPath, script, ...args], { stderr: "pipe" });
    return { err: await new Response(child.stderr).text(), code: await child.exited };
  }

  const start = (...more: string[]) =>
    run(grid, ...["--data", data, "--val", "patient001", "--out", out], ...more);

  const log = join(out, "logs", "uniform-seed0.log");
  const read = (file: string) => readFileSync(join(out, file), "utf8");
  /** An experiment of which another process has claimed one run. */
  const begun = once(async () => {
    mkdirSync(join(out, "claims"), { recursive: true });
    const release = claimRun(out, "ohem-mu-0-seed0")!;
    const { err, code } = await start("--iterations-each", "3");
    expect(code).toBe(0);
    release();
    return { err, report: read("report.md"), log: readFileSync(log, "utf8") };
  });
  /** The same once more, with nothing claimed. */
  const finished = once(async () => {
    await begun();
    return await start();
  });

  test("leaves what another process has claimed, then does it, and does nothing twice", async () => {
    const first = await begun();
    expect(first.err).toMatch(/1 of 2 runs are not done \(left to other processes\)/);
    expect(first.report).toMatch(/Not finished: ohem-mu-0-seed0/);
    const second = await finished();
    expect(second.err).not.toMatch(/not done/);
    expect(second.code).toBe(0);
    expect(readFileSync(log, "utf8")).toBe(first.log);
    const report = read("report.md");
    expect(report).toMatch(/\| OHEM, μ = 0 \| [\d.]+ \[/);
    expect(report).toMatch(/\| again \| [\d.]+ \[/);
    for (const file of ["tiny.png", "tiny.svg", "twin.png", "results.json"]) {
      expect(existsSync(join(out, file)), file).toBe(true);
    }
  });

  test("refuses another split or adapter, an unknown one too; the same ones go on", async () => {
    await finished();
    const again = ["--data", data, "--out", out];
    const others = await run(grid, ...again, "--val", "patient002");
    expect(others.err).toMatch(/holds an experiment with --val patient001/);
    const missing = await run(grid, ...again, "--val", "patient001", "--adapter", "no such one");
    expect(missing.err).toMatch(/no adapter matches "no such one"/);
    for (const { code } of [others, missing]) expect(code).toBe(2);
    const { adapter } = JSON.parse(readFileSync(join(out, "experiment.json"), "utf8"));
    const same = await run(grid, ...again, "--val", "patient001", "--adapter", adapter);
    expect({ code: same.code, err: same.code === 0 ? "" : same.err }).toEqual({ code: 0, err: "" });
    const folded = await run(grid, ...again, "--folds", "2"); // patients 1 and 2 validate
    expect(folded).toMatchObject({
      code: 2,
      err: expect.stringContaining("with --val patient001"),
    });
  });

  test("refuses another budget, an unknown option and a missing budget in one line", async () => {
    await begun();
    const changed = await start("--iterations-each", "4");
    expect(changed.err).toMatch(/holds an experiment with the budget \{"iterations":3\}/);
    const wrong = gridFile("option.yaml", text.replace("mu: 0 }", "no-such: 1 }"));
    const unknown = await run(wrong, "--data", data, "--iterations-each", "3");
    expect(unknown.err).toMatch(/option\.yaml: figure tiny, arm "OHEM, μ = 0": unknown option/);
    const preset = gridFile("preset.yaml", text.replace("{ filters", "{ preset: small, filters"));
    const twice = await run(preset, "--data", data, "--iterations-each", "3", "--preset", "best");
    expect(twice.err).toMatch(/--preset best: .*preset\.yaml names preset small itself/);
    const missing = await run(grid, "--data", data, "--out", join(folder, "none"));
    expect(missing.err).toMatch(/--budget-each 20m, or --iterations-each/);
    for (const { code, err } of [changed, unknown, twice, missing]) {
      expect(code).toBe(2);
      expect(err.trimEnd().split("\n").length).toBe(1);
    }
  });

  test("a run that cannot begin ends the experiment with its reason", async () => {
    const wrong = gridFile("value.yaml", text.replace("mu: 0 }", "mu: 7 }"));
    const args = ["--data", data, "--val", "patient001", "--iterations-each", "1"];
    const { err, code } = await run(wrong, ...args, "--out", join(folder, "value"));
    expect(err).toMatch(/voxgrad: "OHEM, μ = 0", seed 0: --mu 7: /);
    expect(code).toBe(2);
  });
});
