/** bench/peers without any peer: works, comparison, table, document, and processes that die. */
import { expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare } from "../bench/peers/compare";
import { permuted } from "../bench/peers/engine";
import { type Outcome, timing } from "../bench/peers/measure";
import { mergeReports, readKept } from "../bench/peers/merge";
import { EngineProcess } from "../bench/peers/process";
import { allWorks, peers, worksOf } from "../bench/peers/registry";
import { replaceMeasured } from "../bench/peers/report";
import { bestRows, markdown, memoryMarkdown, type Row, reasons, short } from "../bench/peers/table";
import { needsGradients, operations, type Work, workName } from "../bench/peers/works";

test("operations are those of direct convolution", () => {
  const conv = { cin: 16, cout: 16, edge: 32, patches: 4 };
  expect(operations({ kind: "conv", ...conv, backward: false })).toBe(
    2 * 4 * 16 ** 2 * 27 * 32 ** 3,
  );
  const forward = operations({ kind: "network", patches: 1, training: false });
  const step = operations({ kind: "network", patches: 1, training: true });
  expect(forward / 1e9).toBeCloseTo(3.74, 2);
  expect(3 * forward - step).toBe(2 * 2 * 16 * 27 * 32 ** 3); // the image needs no gradient
  expect(operations({ kind: "iteration", pool: 128, batch: 32 })).toBe(128 * forward + 32 * step);
});

test("every peer is asked for what it can do, and each work has a name of its own", () => {
  const sizes = { patches: 4 };
  const works = allWorks(peers, sizes);
  expect(works.size).toBe(10 + 2 + 3);
  expect([...works.keys()].at(-1)).toBe("OHEM iteration 128/32");
  for (const peer of peers) {
    const own = worksOf(peer, sizes);
    expect(new Set(own.map(workName)).size).toBe(own.length);
    if (!peer.trains) expect(own.some(needsGradients)).toBe(false);
  }
  const torch = peers.find(({ name }) => name === "torch");
  const one = worksOf(torch!, { ...sizes, iteration: [8, 2] });
  expect(one.filter(({ kind }) => kind === "iteration").map(workName)).toEqual([
    "OHEM iteration 8/2",
  ]);
});

const tensors = (entries: Record<string, number[]>) =>
  new Map(
    Object.entries(entries).map(([name, values]) => [
      name,
      { shape: [values.length], data: Float32Array.from(values) },
    ]),
  );

test("results that differ, are missing or not finite are found", () => {
  const ours = tensors({ y: [3, 4], "gradient/w": [1, 0] });
  const close = compare(ours, tensors({ y: [3, 4], "gradient/w": [1, 1e-2] }), false);
  expect(close).toMatchObject({ worst: "gradient/w", allowed: 2e-2 });
  expect(close.deviation).toBeCloseTo(1e-2, 6);
  const off = compare(ours, tensors({ y: [3, 4.1], "gradient/w": [1, 0] }), false);
  expect(off.worst).toBe("y");
  expect(off.deviation).toBeCloseTo(0.02, 3);
  expect(off.deviation > off.allowed).toBe(true);
  expect(compare(ours, tensors({ y: [3, 4] }), false).fault).toBe("no values for 2");
  const nan = compare(ours, tensors({ y: [3, Number.NaN], "gradient/w": [1, 0] }), true);
  expect(nan).toMatchObject({ worst: "y", deviation: Number.POSITIVE_INFINITY });
});

test("axes are permuted as numpy's transpose does", () => {
  const data = Float32Array.from({ length: 6 }, (_, i) => i);
  const { shape, data: turned } = permuted({ shape: [1, 2, 3], data }, [2, 0, 1]);
  expect(shape).toEqual([3, 1, 2]);
  expect([...turned]).toEqual([0, 3, 1, 4, 2, 5]);
});

test("median and half the distance of the quartiles", () => {
  expect(timing([5, 1, 2, 3, 4])).toEqual({ ms: 3, spread: 1 });
});

const work: Work = { kind: "network", patches: 4, training: false };

function row(variant: string, reduced: boolean, outcome: Outcome): Row {
  return { work, engine: "torch", title: "PyTorch", variant, reduced, ...outcome };
}

const timed = (ms: number): Outcome => ({
  status: "timed",
  peer: { ms, spread: 0.5 },
  ours: { ms: 50, spread: 1 },
  comparison: { worst: "logits", deviation: 1e-6, allowed: 1e-4 },
});

const rows = [
  row("eager", false, timed(100)),
  row("compile", false, timed(80)),
  row("bf16", true, { ...timed(40), note: "norm in float32" }),
  row("odd", false, { status: "wrong", reason: "logits: deviates by 5.0e-1, allowed 0.0001" }),
];

test("the fastest of each class of arithmetic counts; nothing missing is silent", () => {
  expect([...bestRows(rows)].map(({ variant }) => variant)).toEqual(["compile", "bf16"]);
  const table = markdown(rows).split("\n");
  expect(new Set(table.map((line) => line.length)).size).toBe(1);
  expect(table[2]).toMatch(/^\| network forward ×4 \| voxgrad +\| 50\.0 ± 0 /);
  expect(table[4]).toMatch(/\*\*PyTorch: compile\*\* +\| 80\.0 ± 0\.500 .* 1\.60 +\| 1e-6/);
  expect(table[6]).toMatch(/PyTorch: odd +\| wrong /);
  expect(reasons(rows)).toEqual([
    "PyTorch: odd: wrong: logits: deviates by 5.0e-1, allowed 0.0001 (network forward ×4)",
  ]);
  expect([0, 0.01234, 1.234, 12.34, 1234.5].map(short)).toEqual([
    ...["0", "0.012", "1.23", "12.3", "1235"],
  ]);
});

test("memory is compared with the sum of the parts, or with the allocator's peak", () => {
  const MIB = 2 ** 20;
  const cpu = { ...timed(1), memory: { parts: { saved: 90 * MIB, Adam: 10 * MIB } } };
  const gpu = { ...timed(1), memory: { peak: 200 * MIB } };
  const own = { ourBytes: 50 * MIB };
  const lines = memoryMarkdown([
    { ...row("cpu", false, cpu), ...own },
    { ...row("gpu", false, gpu), ...own },
    row("none", false, timed(1)),
  ]).split("\n");
  expect(lines).toHaveLength(4);
  expect(lines[2]).toMatch(/100 +\| saved 90\.0, Adam 10\.0 \|.* 0\.500 +\|$/);
  expect(lines[3]).toMatch(/200 +\| 50\.0 +\| 0\.250 +\|$/);
});

test("a run of a part replaces its own rows and leaves those of earlier runs, with their dates", () => {
  const machine = { cpu: "X", cores: 2, system: "linux x64" };
  const [eager, compile] = [row("eager", false, timed(100)), row("compile", false, timed(80))];
  const missing = row("default", false, { status: "unavailable", reason: "no torch" });
  const before = { ...machine, date: "2026-01-01", versions: ["a"], rows: [eager, missing] };
  const now = { ...machine, date: "2026-01-02", versions: ["a", "b"], rows: [compile] };
  const merged = mergeReports(before, now);
  expect(merged.versions).toEqual(["a", "b"]);
  expect(merged.rows.map(({ variant, date }) => [variant, date])).toEqual([
    ["eager", "2026-01-01"],
    ["compile", "2026-01-02"],
  ]);
  const again = { ...now, date: "2026-01-03", rows: [row("eager", false, timed(50))] };
  expect(mergeReports(merged, again).rows.map(({ date, peer }) => [date, peer!.ms])).toEqual([
    ["2026-01-02", 80],
    ["2026-01-03", 50],
  ]);
  expect(markdown(merged.rows)).toContain("| 2026-01-01 |");

  const file = join(mkdtempSync(join(tmpdir(), "voxgrad-merge-")), "peers.json");
  expect(readKept(file, { ...machine, date: "" })).toBeUndefined();
  writeFileSync(file, JSON.stringify(merged));
  expect(readKept(file, { ...machine, date: "" })?.rows).toHaveLength(2);
  expect(() => readKept(file, { ...machine, cores: 4, date: "" })).toThrow(/on X, 2 cores/);
  writeFileSync(file, "[]");
  expect(() => readKept(file, { ...machine, date: "" })).toThrow(/peers\.json: is no report/);
});

test("only what lies between the marks of a document is replaced", () => {
  const text = "a\n<!-- measured -->\nold\n<!-- /measured -->\nb\n";
  const replaced = "a\n<!-- measured -->\n\nnew\n\n<!-- /measured -->\nb\n";
  expect(replaceMeasured(text, "new", "x.md")).toBe(replaced);
  expect(() => replaceMeasured("a", "new", "x.md")).toThrow(/x\.md: holds no <!-- measured -->/);
});

test("an engine's answers are told from what it prints, and its death is explained", async () => {
  const script = `
    process.stdin.on("data", (line) => {
      if (String(line).includes("hello")) console.log('noise\\n@peer {"version":"v","variants":[]}');
      else { console.error("out of luck"); process.exit(3); }
    });`;
  const engine = new EngineProcess([process.execPath, "-e", script]);
  expect(await engine.ask<unknown>({ do: "hello" })).toEqual({ version: "v", variants: [] });
  expect(engine.alive).toBe(true);
  const failure = "the process ended (exit code 3): out of luck";
  await expect(engine.ask({ do: "memory" })).rejects.toThrow(failure);
  expect(engine.alive).toBe(false);
  engine.close();
});
