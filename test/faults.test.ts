/** The short form of `bun run faults`: a few cases of every part, and the command itself. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scripts } from "../package.json";
import { runDocumented } from "./cli_rig";
import { NONSENSE } from "./faults/options";
import type { Part } from "./faults/part";
import { PARTS } from "./faults/parts";
import { type Row, runPart } from "./faults/supervisor";

const root = mkdtempSync(join(tmpdir(), "voxgrad-faults-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const short = PARTS.filter(({ longOnly }) => !longOnly);

test.each(short.map((part) => [part.name, part] as const))("%s", async (name, part) => {
  const folder = join(root, name);
  mkdirSync(folder);
  const row = await runPart(part, { folder, seed: 1, short: true }, () => {});
  if (row.skipped) console.log(`not tested here: ${name}: ${row.skipped}`);
  expect(row.faults).toEqual([]);
  expect(row.cases > 0 || row.skipped !== undefined).toBe(true);
});

/** Commands that take no options, pass them on, or are for developers. */
const WITHOUT_NONSENSE = ["docs", "bench:all", "test", "test:long", "check"];

test("every command has its lines of nonsense", () => {
  const names = Object.keys(scripts).filter(
    (name) => !(name.startsWith("pre") && name.slice(3) in scripts),
  );
  const tried = new Set(NONSENSE.map(([line]) => line.split(" ")[0]!));
  expect([...tried, ...WITHOUT_NONSENSE].sort()).toEqual(names.sort());
});

test("bun run faults: a table, or JSON on standard output", async () => {
  const run = (...args: string[]) => runDocumented("faults", "--short", "--only", ...args);
  const table = await run("metadata");
  expect(table.code, table.err).toBe(0);
  expect(table.out).toMatch(/^part +cases +refused .*\nmetadata +72 +72 +0 +0 +0 +0 +0 /);
  const { out } = await run("metadata", "--json");
  const { rows } = JSON.parse(out) as { rows: Row[] };
  expect(rows.map(({ name, counts }) => [name, counts.refused])).toEqual([["metadata", 72]]);
  const unknown = await run("kills,nothing");
  expect([unknown.code, unknown.out]).toEqual([2, ""]);
  expect(unknown.err).toContain("--only nothing: no part of that name; images, predict, headers,");
});

test("a case that hangs or takes the process with it is one fault; the others still run", async () => {
  const folder = join(root, "odd");
  mkdirSync(folder);
  const odd: Part = { name: "odd", title: "", seconds: 2, cases: () => [] };
  const worker = join(import.meta.dir, "faults", "odd_worker.ts");
  const row = await runPart(odd, { folder, seed: 1, short: true }, () => {}, worker);
  expect(row.counts).toEqual({ refused: 1, right: 2, unclear: 0, stack: 2, hang: 1, silent: 0 });
  expect(row.peakBytes).toBe(7);
  expect(row.faults.map(({ id, end }) => [id, end])).toEqual([
    ["hangs", "hang"],
    ["throws", "stack"],
    ["exits", "stack"],
  ]);
});
