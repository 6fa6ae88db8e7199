/**
 * Passages that stand in several shaders are marked `// shared: NAME` … `// end`
 * (docs/engine/architecture.md). Those of one name have the same text, so that none is mended in one
 * file and forgotten in the other.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

const SHADERS = join(import.meta.dir, "..", "shaders");

interface Passage {
  readonly name: string;
  /** `file:line` of its first line. */
  readonly place: string;
  /** Without the indentation of its marks. */
  readonly lines: readonly string[];
}

interface Found {
  readonly passages: readonly Passage[];
  readonly faults: readonly string[];
}

/** The passages of a file, and marks that do not belong together. */
function passagesOf(file: string, text: string): Found {
  const passages: Passage[] = [];
  const faults: string[] = [];
  let open: { name: string; first: number; indent: string } | undefined;
  const lines = text.split("\n");
  for (const [i, line] of lines.entries()) {
    const [, indent = "", mark, name = ""] = /^( *)\/\/ (shared:|end$)\s*(.*)$/.exec(line) ?? [];
    if (!mark) continue;
    const place = `${file}:${i + 1}`;
    if ((mark === "shared:") === (open !== undefined)) {
      faults.push(`${place}: ${open ? `${open.name} has no end before it` : "ends no passage"}`);
    }
    if (mark === "shared:") {
      if (!/^[a-z][a-z0-9_]*$/.test(name)) faults.push(`${place}: "${name}" is no snake_case name`);
      open = { name, first: i + 1, indent };
    } else if (open) {
      const own = lines.slice(open.first, i);
      const outside = own.findIndex((l) => l !== "" && !l.startsWith(open!.indent));
      if (own.length === 0) faults.push(`${place}: ${open.name} is empty`);
      if (outside >= 0) faults.push(`${file}:${open.first + 1 + outside}: left of its mark`);
      const bare = own.map((l) => l.slice(open!.indent.length));
      passages.push({ name: open.name, place: `${file}:${open.first + 1}`, lines: bare });
      open = undefined;
    }
  }
  if (open) faults.push(`${file}:${open.first}: ${open.name} has no end`);
  return { passages, faults };
}

/** What is wrong with the passages of some files, a line each. */
function faultsOf(files: Readonly<Record<string, string>>): string[] {
  const found = Object.entries(files).map(([file, text]) => passagesOf(file, text));
  const faults = found.flatMap((f) => f.faults);
  const byName = Map.groupBy(
    found.flatMap((f) => f.passages),
    ({ name }) => name,
  );
  for (const [name, [first, ...others]] of byName) {
    if (others.length === 0) faults.push(`${first!.place}: ${name} stands nowhere else`);
    for (const { place, lines } of others) {
      const length = Math.max(lines.length, first!.lines.length);
      const at = Array.from({ length }, (_, i) => i).find((i) => lines[i] !== first!.lines[i]);
      if (at === undefined) continue;
      const [here, there] = [lines[at] ?? "its end", first!.lines[at] ?? "its end"];
      faults.push(`${place}: ${name} differs from ${first!.place}: "${here}", there "${there}"`);
    }
  }
  return faults;
}

test("passages of one name have the same text, and stand in two places at least", () => {
  const paths = [...new Glob("**/*.wgsl").scanSync(SHADERS)].sort();
  const files = Object.fromEntries(
    paths.map((path) => [`shaders/${path}`, readFileSync(join(SHADERS, path), "utf8")]),
  );
  expect(paths.length).toBeGreaterThan(50);
  const marked = paths.filter((path) => files[`shaders/${path}`]!.includes("// shared: "));
  expect(marked.length).toBeGreaterThan(20);
  expect(faultsOf(files)).toEqual([]);
});

test("drift, lone names and marks without their other half are told with file and line", () => {
  const one = "// shared: a\nfn f() {\n  return 1;\n}\n// end\n";
  const indented = "{\n  // shared: a\n  fn f() {\n    return 1;\n  }\n  // end\n}\n";
  expect(faultsOf({ one, indented })).toEqual([]);
  expect(faultsOf({ one, other: one.replace("1", "2") })).toEqual([
    'other:2: a differs from one:2: "  return 2;", there "  return 1;"',
  ]);
  expect(faultsOf({ one, other: one.replace("}\n", "") })).toEqual([
    'other:2: a differs from one:2: "its end", there "}"',
  ]);
  expect(faultsOf({ one })).toEqual(["one:2: a stands nowhere else"]);
  expect(faultsOf({ one, other: "// shared: a\nfn f() {\n" })).toContain("other:1: a has no end");
  expect(faultsOf({ one, other: "x\n// end\n" })).toContain("other:2: ends no passage");
  const twice = `// shared: b\n${one}`;
  expect(faultsOf({ one, twice })).toEqual(["twice:2: b has no end before it"]);
  expect(faultsOf({ one: "// shared: A b\nx\n// end\n" })[0]).toMatch(/no snake_case name/);
  expect(faultsOf({ one: "  // shared: a\nx\n  // end\n" })).toContain("one:2: left of its mark");
  expect(faultsOf({ one: "// shared: a\n// end\n" })).toContain("one:2: a is empty");
});
