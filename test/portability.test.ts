/** The portability suite itself: its cases, the ends of a worker, its reports. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ops } from "../kernels/index";
import { UserError } from "../src/core/errors";
import { roundToHalf } from "../src/core/half";
import type { Capabilities } from "../src/core/kernel";
import { idOf, matchesId, seedOf } from "../src/portability/case";
import { opCases } from "../src/portability/cases/ops";
import { edgeCases, mixedCases } from "../src/portability/cases/sizes";
import { readIsaReport } from "../src/portability/isa/schema";
import { isaLines, poorLines } from "../src/portability/isa/text";
import { KINDS } from "../src/portability/mutants/defect";
import { DEFECTS } from "../src/portability/mutants/index";
import { checkText } from "../src/portability/mutate";
import { compare } from "../src/portability/op_checks";
import type { Rig } from "../src/portability/op_run";
import { countsOf, groupOf, rowsOf } from "../src/portability/report/cells";
import { comparisonLines } from "../src/portability/report/compare";
import { readReport, writeReport } from "../src/portability/report/file";
import { htmlReport } from "../src/portability/report/html";
import { matrixLines, summaryLine } from "../src/portability/report/matrix";
import {
  FORMAT,
  jsonSchema,
  type Report,
  type Result,
  VERSION,
} from "../src/portability/report/schema";
import { workersFor } from "../src/portability/suite";
import { whyNot } from "../src/portability/support";
import { references } from "../src/reference/index";
import { GPU, LAVAPIPE } from "./adapters";
import { expectRefusalOf, runDocumented } from "./cli_rig";
import { ADAPTER } from "./portability_rig";

describe("cases", () => {
  test("ids carry row, case and seed, and patterns find them", () => {
    const id = idOf({ row: "conv3d_dw/subgroup", name: "7x33x5", seed: 20 });
    expect(id).toBe("conv3d_dw/subgroup/7x33x5@20");
    expect(seedOf(id)).toBe(20);
    const patterns = [id, "conv3d_dw/subgroup/7x33x5", "conv3d_dw/subgroup", "conv3d_*/7x?3x5"];
    for (const pattern of patterns) expect(matchesId(pattern, id), pattern).toBe(true);
    for (const pattern of ["conv3d_dw", "conv3d", "conv3d_dw/subgroup/7x33x5@21", "add"]) {
      expect(matchesId(pattern, id), pattern).toBe(false);
    }
  });

  test("every op of the registry is in it, forward and backward, in every variant", () => {
    const { cases, skipped } = opCases(references, LAVAPIPE, 20);
    const rows = new Set([...cases, ...skipped].map(({ row }) => row));
    for (const op of Object.values(ops)) {
      const variants = op.variants?.[op.name as never] as readonly { name: string }[] | undefined;
      const wanted = variants?.map((v) => `${op.name}/${v.name}`) ?? [op.name];
      for (const row of wanted)
        expect(rows.has(row) || rows.has(row.replace("/", ".f16/")), row).toBe(true);
      if (!op.backward) continue;
      expect(
        [...rows].some((row) => row.startsWith(`${op.name}.backward`)),
        op.name,
      ).toBe(true);
    }
    expect(new Set(cases.map(idOf)).size).toBe(cases.length);
  });

  for (const caps of [LAVAPIPE, GPU]) {
    test(`every row of ${caps.kind} has a case that its variant can do`, () => {
      const done = new Set<string>();
      const rows = new Set<string>();
      for (const { row, outline } of opCases(references, caps, 20).cases) {
        rows.add(row);
        if (!done.has(row) && outline?.(caps)) done.add(row);
      }
      expect([...rows].filter((row) => !done.has(row))).toEqual([]);
    });
  }

  test("weights are such that f16 holds them where a variant that rounds them runs, if only beside", () => {
    const conv = references.filter(({ op }) => op.name === "conv3d");
    const beside = ["conv3d_dx.f16/naive", "conv3d.f16/naive"];
    const seen = opCases(conv, GPU, 20).cases.filter(
      ({ row, outline }) => beside.includes(row) && outline?.(GPU),
    );
    const besides = new Set<string>();
    for (const { row, record } of seen) {
      const { graph, trial } = record!({ caps: GPU } as Rig);
      const rounds = graph.picks.some(({ chosen }) => chosen.startsWith("matrix"));
      const { w } = trial.inputs;
      expect(w!.every((v) => v === roundToHalf(v))).toBe(rounds);
      besides.add(`${row} ${rounds}`);
    }
    expect([...besides].sort()).toEqual([
      "conv3d.f16/naive false",
      "conv3d_dx.f16/naive false",
      "conv3d_dx.f16/naive true",
    ]);
  });

  test("what an adapter cannot run is skipped with what it lacks", () => {
    const { skipped } = opCases(
      references,
      { ...LAVAPIPE, subgroupSize: null, shaderF16: false },
      20,
    );
    const reasonOf = (row: string) => skipped.find((s) => s.row === row)?.reason;
    expect(reasonOf("conv3d/subgroup")).toBe(
      "needs subgroups of 8, the adapter has none of one size",
    );
    expect(reasonOf("groupNorm.f16")).toBe("needs shader-f16, the adapter has not");
    const never = { supported: () => false };
    expect(whyNot(never, LAVAPIPE)).toBe("needs what this adapter has not");
    const large = { supported: (c: Capabilities) => c.maxWorkgroupBytes >= 40000 };
    expect(whyNot(large, LAVAPIPE)).toBe(
      "needs 48 KiB of workgroup memory, the adapter has 32 KiB",
    );
  });

  test("sizes lie at and around edges, and mixtures follow from the seed", () => {
    const conv = references.find(({ op }) => op.name === "conv3d")!;
    const widths = edgeCases(conv).map((c) => c.inputs.x![4]!);
    for (const W of [15, 16, 17, 31, 32, 33]) expect(widths).toContain(W);
    const ids = (seed: number) => mixedCases(conv, seed).map((c) => c.id);
    expect(ids(1)).toEqual(ids(1));
    expect(ids(1)).not.toEqual(ids(2));
  });
});

test("a GPU beside many cores is given several cases at a time, a software driver is not", () => {
  expect([1, 2, 6, 64].map((cores) => workersFor("hardware", cores))).toEqual([1, 1, 3, 8]);
  expect([2, 64].map((cores) => workersFor("lavapipe", cores))).toEqual([1, 1]);
});

test("errors are told in units of their bounds", () => {
  expect(compare("y", [2], [1, 2], [1, 2.5], 1)).toEqual({ worst: 0.5 });
  const { worst, fault } = compare("y", [1, 2], [1, 5], [1, 2], 1);
  expect(worst).toBe(3);
  expect(fault).toContain("1 of 2 elements are off, most of all [0, 1] = 5, expected 2 ± 1");
  expect(compare("y", [1], [Number.NaN], [1], 1).worst).toBe(Number.POSITIVE_INFINITY);
  expect(compare("y", [1], [1], [2], 0).worst).toBe(Number.POSITIVE_INFINITY);
});

test("planted defects are of many kinds, and each is found once in its shader", () => {
  for (const defect of DEFECTS) checkText(defect);
  expect(DEFECTS.length).toBeGreaterThanOrEqual(25);
  expect(new Set(DEFECTS.map(({ kind }) => kind))).toEqual(new Set(KINDS));
  const stale = { ...DEFECTS[0]!, from: "no such line" };
  expect(() => checkText(stale)).toThrow(UserError);
});

function reportOf(results: readonly Result[], driver = "1.0"): Report {
  const adapter = { ...ADAPTER, driver, features: [...ADAPTER.features] };
  return {
    ...{ format: FORMAT, version: VERSION, started: "2026-01-01T00:00:00.000Z" },
    voxgrad: { version: "0.1.0" },
    machine: { os: "Linux", processor: "p", cores: 2, memoryBytes: 2 ** 34 },
    options: { short: false, seed: 20, cases: [] },
    columns: [
      {
        ...{ implementation: "bun", adapter, seconds: 1, complete: true },
        skipped: [{ row: "conv3d/subgroup", reason: "needs subgroups of 8" }],
        results: [...results],
      },
    ],
    missing: [{ implementation: "deno", reason: "not here </script>" }],
  };
}

const RESULTS: readonly Result[] = [
  { id: "add/odd@20", status: "passed", worst: 0.25, seconds: 0.1 },
  { id: "add/views@20", status: "passed", worst: 0.75, seconds: 0.1 },
  { id: "relu.backward/odd@20", status: "failed", seconds: 0.1, faults: ["dx: 1 of 2 are off"] },
  { id: "facts.nan/this_adapter@20", status: "passed", seconds: 0, note: "NaN is kept" },
];

describe("report", () => {
  const report = reportOf(RESULTS);

  test("cells hold the worst case, failures first; counts add up", () => {
    expect(countsOf(report)).toEqual({ passed: 3, failed: 1, skipped: 2 });
    expect(summaryLine(report)).toBe("3 passed, 1 failed, 2 skipped");
    const cells = Object.fromEntries(rowsOf(report).map(({ row, cells }) => [row, cells[0]!]));
    expect(cells.add).toMatchObject({ status: "passed", worst: 0.75, worstCase: "add/views@20" });
    expect(cells["relu.backward"]).toMatchObject({ status: "failed", failed: 1 });
    expect(cells["conv3d/subgroup"]).toMatchObject({ status: "skipped" });
    expect(groupOf("conv3d_dw.f16/naive")).toBe("Gradients");
    const text = matrixLines(report).join("\n");
    for (const part of ["0.75  views@20", "FAILED", "NaN is kept", "needs subgroups of 8"]) {
      expect(text).toContain(part);
    }
  });

  test("survives its file; another file is refused in one line", () => {
    const dir = mkdtempSync(join(tmpdir(), "voxgrad-report-"));
    const file = join(dir, "a.json");
    writeReport(file, report);
    expect(readReport(file)).toEqual(report);
    for (const text of ["{", "{}", JSON.stringify({ ...report, columns: 1 })]) {
      writeFileSync(file, text);
      expect(() => readReport(file)).toThrow(UserError);
    }
    expect(() => readReport(join(dir, "none.json"))).toThrow(/none\.json: cannot be read/);
    rmSync(dir, { recursive: true });
  });

  test("two are compared by case: status, error and driver", () => {
    const [a, b, c] = RESULTS as [Result, Result, Result];
    const after = reportOf([a, { ...b, worst: 0.2 }, { ...c, status: "passed", worst: 0 }], "2.0");
    const text = comparisonLines(report, after).join("\n");
    expect(text).toContain("1 cases alike, 1 only before, 0 only after");
    expect(text).toContain("driver: 1.0 → 2.0");
    expect(text).toContain("relu.backward/odd@20: failed → passed");
    expect(text).toContain("add/views@20: error 0.75 → 0.20 of its bound");
  });

  test("the page holds everything, and nothing in the data ends its element", () => {
    const html = htmlReport(report);
    expect(html).not.toMatch(/(src|href)=|url\(|@import|https?:/);
    const data = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)![1]!;
    expect(JSON.parse(data).report).toEqual(report);
  });

  test("a report that the repository keeps is shown once more, with its page", async () => {
    const file = "bench/results/2026-11-26-nvidia-h200/portability-deno.json";
    const dir = mkdtempSync(join(tmpdir(), "voxgrad-report-"));
    const page = join(dir, "page.html");
    const { out, err, code } = await runDocumented("portability", "report", file, "--html", page);
    expect(code, err).toBe(0);
    const kept = readReport(join(import.meta.dir, "..", file));
    expect(out.trimEnd().split("\n")).toEqual(matrixLines(kept).join("\n").split("\n"));
    expect(readFileSync(page, "utf8")).toBe(htmlReport(kept));
    rmSync(dir, { recursive: true });
    await expectRefusalOf(/none\.json: cannot be read/, "portability", "report", "none.json");
    const nowhere = join(dir, "page.html");
    await expectRefusalOf(/cannot be written/, "portability", "report", file, "--html", nowhere);
  });

  test("what AMD's compiler says is a section of its own, on the terminal before the summary", async () => {
    const file = "bench/results/2026-11-26-nvidia-h200/portability-deno.json";
    const isa = "bench/results/2026-11-30-amd-compiler/isa.json";
    const dir = mkdtempSync(join(tmpdir(), "voxgrad-report-"));
    const page = join(dir, "page.html");
    const given = ["portability", "report", file, "--isa", isa, "--html", page] as const;
    const { out, err, code } = await runDocumented(...given);
    expect(code, err).toBe(0);
    const lines = out.trimEnd().split("\n");
    const kept = readReport(join(import.meta.dir, "..", file));
    expect(lines.at(-1)).toBe(summaryLine(kept));
    expect(lines).toContain("AMD's compiler");
    const compiled = readIsaReport(join(import.meta.dir, "..", isa));
    for (const line of isaLines(compiled)) expect(lines).toContain(line);
    expect(poorLines(compiled)).toHaveLength(1);
    expect(readFileSync(page, "utf8")).toBe(htmlReport(kept, compiled));
    rmSync(dir, { recursive: true });
    await expectRefusalOf(
      /package\.json: version is/,
      "portability",
      "report",
      file,
      "--isa",
      "package.json",
    );
  });

  test("docs/engine/portability.schema.json is the schema", () => {
    const file = join(import.meta.dir, "..", "docs", "engine", "portability.schema.json");
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(
      JSON.parse(JSON.stringify(jsonSchema())),
    );
  });
});
