/** The documentation agrees with the repository: links, pictures, paths, commands, folders, headers. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";
import { scripts } from "../package.json";
import { IMPORTERS } from "../src/import/index";
import { LOSSES } from "../src/settings/loss";

const ROOT = join(import.meta.dir, "..");
const INDEX = "docs/README.md";

function found(pattern: string): string[] {
  const paths = [...new Glob(pattern).scanSync(ROOT)].map((path) => path.replaceAll("\\", "/"));
  return paths.filter((path) => !path.includes("node_modules/")).sort();
}

const PAGES = ["README.md", "test/golden/README.md", ...found("docs/**/*.md")];
const TEXT = new Map(PAGES.map((page) => [page, readFileSync(join(ROOT, page), "utf8")]));

/** The page without code blocks and HTML comments. */
function prose(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, "").replace(/<!--[\s\S]*?-->/g, "");
}

/** Targets of the page's links and pictures; code in backticks holds no link. */
function targets(page: string): string[] {
  const text = prose(TEXT.get(page)!).replace(/`[^`\n]*`/g, "");
  return [...text.matchAll(/\]\(\s*([^()\s]+)\s*\)/g)].map((match) => match[1]!);
}

/** Anchors of a page as GitHub makes them: of headings, a number after those that come again. */
function anchors(text: string): Set<string> {
  const made = new Set<string>();
  for (const [, heading] of prose(text).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const plain = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
    let name = slug;
    for (let again = 1; made.has(name); again++) name = `${slug}-${again}`;
    made.add(name);
  }
  return made;
}

function linkFault(page: string, target: string): string | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [file, anchor] = target.split("#") as [string, string | undefined];
  const path = file === "" ? page : normalize(join(dirname(page), file)).replaceAll("\\", "/");
  if (!existsSync(join(ROOT, path))) return `${page}: ${target} leads to no file`;
  if (anchor === undefined) return undefined;
  if (!path.endsWith(".md")) return `${page}: ${target} has an anchor in a file without headings`;
  const there = anchors(TEXT.get(path) ?? readFileSync(join(ROOT, path), "utf8"));
  return there.has(anchor)
    ? undefined
    : `${page}: ${target}: ${path} has no heading for #${anchor}`;
}

test("every link, anchor and picture is there", () => {
  const count = PAGES.reduce((sum, page) => sum + targets(page).length, 0);
  expect(count).toBeGreaterThan(100);
  expect(PAGES.flatMap((page) => targets(page).flatMap((t) => linkFault(page, t) ?? []))).toEqual(
    [],
  );
});

test("the index names every page, and a page shows every picture", () => {
  const linked = (page: string) =>
    targets(page).map((target) =>
      normalize(join(dirname(page), target.split("#")[0]!)).replaceAll("\\", "/"),
    );
  const fromIndex = new Set(linked(INDEX));
  const pages = PAGES.filter((page) => page.startsWith("docs/") && page !== INDEX);
  expect(pages.filter((page) => !fromIndex.has(page))).toEqual([]);
  expect(linked("README.md")).toContain(INDEX);
  const shown = new Set(PAGES.flatMap(linked));
  expect(found("docs/**/*.{png,svg,jpg}").filter((picture) => !shown.has(picture))).toEqual([]);
});

/** Files of ours by their path, and everything that a path may stop at. */
const FILES = found("{src,kernels,shaders,bench,test,docs,.ci}/**/*");
const ENDS = /\.(?:ts|wgsl|py|mjs|yaml|html)$/;

/** Whether a path, or a pattern with `*` or `<name>`, stands for something in the repository. */
function exists(path: string): boolean {
  const pattern = path.replace(/<[^>]+>/g, "*");
  if (!pattern.includes("*")) return existsSync(join(ROOT, pattern));
  const glob = new Glob(pattern);
  return FILES.some((file) => {
    const parts = file.split("/");
    return parts.some((_, i) => glob.match(parts.slice(0, i + 1).join("/")));
  });
}

/** Paths from the root anywhere in the text; in code, tails of a path too, as `matrix.ts`. */
function missingPaths(text: string): string[] {
  const full =
    text.match(/(?<![\w./<>-])(?:src|kernels|shaders|bench|test|docs)\/[\w./<>*-]+/g) ?? [];
  const missing = full.map((path) => path.replace(/[./]+$/, "")).filter((path) => !exists(path));
  const code = [...text.matchAll(/^```[\s\S]*?^```$|`[^`\n]+`/gm)].map((match) => match[0]);
  const tails = code.flatMap((piece) => piece.match(/(?<![\w./<>*-])[\w-][\w./-]*/g) ?? []);
  const unknown = tails.filter(
    (path) => ENDS.test(path) && !FILES.some((file) => `/${file}`.endsWith(`/${path}`)),
  );
  return [...new Set([...missing, ...unknown])];
}

/** Files that a command writes, or that a reader has; no file of ours. */
const NOT_OURS = new Set([
  "my.yaml",
  "cohort.yaml",
  "report.html",
  "report_corrected.html",
  "new.html",
  "index.html",
  "selftest.html",
]);

test("every path that a page names is there", () => {
  const missing = PAGES.flatMap((page) =>
    missingPaths(TEXT.get(page)!)
      .filter((path) => !NOT_OURS.has(path))
      .map((path) => `${page}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test("every command that a page names is a script of package.json", () => {
  const wrong = PAGES.flatMap((page) =>
    [...TEXT.get(page)!.matchAll(/\bbun(?:@[\d.]+)? run ([a-z][\w:-]*)/g)]
      .map((match) => match[1]!)
      .filter((name) => !Object.hasOwn(scripts, name))
      .map((name) => `${page}: bun run ${name}`),
  );
  expect(wrong).toEqual([]);
});

/** Rows of the page's tables that have more or fewer columns than the table's head. */
function raggedRows(text: string): string[] {
  const columns = (row: string) => row.replaceAll("\\|", "").split("|").length - 2;
  const tables = prose(text).match(/^\|.*\|\n\|[-:| ]+\|\n(?:\|.*\n?)*/gm) ?? [];
  return tables.flatMap((table) => {
    const [head, ...rows] = table.trim().split("\n");
    return rows.filter((row) => columns(row) !== columns(head!));
  });
}

test("every row of a table has the columns of its head", () => {
  const wrong = PAGES.flatMap((page) => raggedRows(TEXT.get(page)!).map((row) => [page, row]));
  expect(wrong).toEqual([]);
});

test("the README and the page of data name every importer", () => {
  const wanting = ["README.md", "docs/guides/data.md"].flatMap((page) =>
    IMPORTERS.map(({ name }) => `bun run import ${name} `)
      .filter((command) => !TEXT.get(page)!.includes(command))
      .map((command) => `${page}: ${command}`),
  );
  expect(wanting).toEqual([]);
});

test("the README names every command, and the page of losses has a row for each", () => {
  const names = Object.keys(scripts).filter(
    (name) => !name.startsWith("pre") || name === "predict",
  );
  const commands: readonly string[] = TEXT.get("README.md")!.match(/\bbun run [a-z][\w:-]*/g) ?? [];
  expect(names.filter((name) => !commands.includes(`bun run ${name}`))).toEqual([]);
  const losses = TEXT.get("docs/guides/losses.md")!;
  expect(LOSSES.filter((name) => !losses.includes(`\n| \`${name}\` |`))).toEqual([]);
});

test("every page of the documentation that a source names is there", () => {
  const sources = found("{src,kernels,shaders,bench,test}/**/*.{ts,wgsl,py,yaml}");
  const wrong = sources.flatMap((source) =>
    [...readFileSync(join(ROOT, source), "utf8").matchAll(/\bdocs\/[\w./#-]+\.md(?:#[\w-]+)?/g)]
      .map((match) => linkFault("README.md", match[0]) ?? "")
      .filter((fault) => fault !== "" && !fault.includes("nowhere"))
      .map((fault) => `${source}, from the root: ${fault}`),
  );
  expect(wrong).toEqual([]);
});

test("the architecture page has a row for every folder of src", () => {
  const page = TEXT.get("docs/engine/architecture.md")!;
  const rooms = new Set(found("src/**/*.ts").map((path) => path.split("/")[1]!));
  expect([...rooms].filter((room) => !page.includes(`| \`src/${room}/\` |`))).toEqual([]);
});

test("no file's header opens with a relative clause", () => {
  const wrong = found("{src,kernels,shaders,bench,test}/**/*.{ts,wgsl}").filter((path) => {
    const start = readFileSync(join(ROOT, path), "utf8").slice(0, 60);
    return /^(?:\/\*\*\s+(?:\* )?|\/\/ )(?:What|Which|Where|How|Whether|When|Who|Why)\b/.test(
      start,
    );
  });
  expect(wrong).toEqual([]);
});

test("the checks notice what is wrong", () => {
  expect(linkFault("README.md", "docs/nowhere.md")).toContain("leads to no file");
  expect(linkFault("README.md", "README.md#nowhere")).toContain("has no heading");
  expect([...anchors("# A `b`, c\n## Once\n## Once\n")]).toEqual(["a-b-c", "once", "once-1"]);
  expect(raggedRows("| a | b |\n|---|---|\n| `c \\| d` | e |\n| f |\n")).toEqual(["| f |"]);
  const text = "`src/nowhere.ts`, `nowhere.wgsl`, `src/core/op.ts`, `op.ts`, `kernels/*/adam.ts`";
  expect(missingPaths(`${text}, src/nowhere/`).sort()).toEqual([
    "nowhere.wgsl",
    "src/nowhere",
    "src/nowhere.ts",
  ]);
});
