/** Dependencies point one way (docs/engine/architecture.md), and the engine runs in a browser page. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

const root = join(import.meta.dir, "..");

/** Every room and what it may import, besides itself; "*": everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  // The engine.
  "src/core": [],
  "src/gpu": ["src/core"],
  "src/platform": ["src/core"],
  "src/hosts": ["src/core", "src/gpu", "src/platform"],
  kernels: ["src/core", "shaders"],
  "src/reference": ["src/core", "kernels"],
  "src/tune": ["src/core", "src/gpu", "kernels", "src/reference"],
  "src/nn": ["src/core", "kernels"],
  // What is computed.
  "src/data": ["src/core", "src/gpu", "src/platform", "kernels"],
  "src/eval": ["src/core", "src/data"],
  "src/decision": ["src/core", "src/data", "src/eval"],
  "src/brain": ["src/core", "src/data", "src/eval"],
  "src/dicom": ["src/core", "src/platform", "src/data", "src/terminal"],
  "src/change": ["src/core", "src/data", "src/eval", "src/brain"],
  "src/register": ["src/core", "src/gpu", "kernels", "src/data", "src/brain"],
  "src/quality": ["src/core", "src/data", "src/brain", "src/change", "src/register"],
  "src/synthesis": ["src/core", "src/platform", "src/data", "src/eval", "src/brain"],
  "src/import": [
    ...["src/core", "src/gpu", "src/platform", "src/data", "src/eval", "src/register"],
    ...["src/terminal", "package.json"],
  ],
  "src/settings": ["src/core", "src/nn", "src/terminal"],
  "src/infer": [
    ...["src/core", "src/gpu", "kernels", "src/nn", "src/data", "src/decision"],
    "src/settings",
  ],
  "src/train": ["src/core", "src/gpu", "kernels", "src/nn", "src/data", "src/settings"],
  // What people meet.
  "src/terminal": ["src/core", "src/gpu", "src/platform"],
  "src/pictures": [
    ...["src/core", "src/platform", "src/data", "src/eval", "src/train", "src/terminal"],
  ],
  "src/tensorboard": ["src/platform"],
  "src/mpi": ["src/core", "src/platform"],
  "src/result": [...["src/core", "src/platform", "src/data", "src/eval", "src/pictures"]],
  "src/viewer": ["src/core", "src/platform", "src/data", "src/eval", "src/pictures", "src/result"],
  "src/selftest": ["src/core", "src/data", "src/eval", "src/synthesis", "src/result"],
  "src/choose": [
    ...["src/core", "src/gpu", "src/platform", "kernels", "src/nn", "src/tune", "src/infer"],
    ...["src/settings", "src/train", "src/terminal"],
  ],
  "src/run": [
    ...["src/core", "src/gpu", "src/platform", "kernels", "src/nn", "src/data", "src/eval"],
    ...["src/brain", "src/change", "src/dicom", "src/quality", "src/register"],
    ...["src/decision", "src/synthesis", "src/infer", "src/settings", "src/train"],
    ...["src/choose", "src/terminal", "src/pictures", "src/result", "src/selftest", "package.json"],
    ...["src/tensorboard", "src/mpi"],
  ],
  "src/cohort": [
    ...["src/core", "src/gpu", "src/platform", "src/data", "src/dicom", "src/import", "src/result"],
    ...["src/run", "src/terminal", "package.json"],
  ],
  "src/bids": [
    ...["src/core", "src/platform", "src/data", "src/result", "src/run", "src/cohort"],
    "package.json",
  ],
  "src/live": [
    ...["src/core", "src/platform", "src/data", "src/eval", "src/settings", "src/train"],
    ...["src/run", "src/result", "src/viewer", "package.json"],
  ],
  "src/web": [
    ...["src/core", "src/gpu", "src/platform", "src/hosts", "src/nn", "src/data", "src/infer"],
    ...["src/terminal", "src/pictures", "src/result", "src/run", "src/viewer", "package.json"],
    ...["src/settings", "src/train", "src/eval", "src/live", "src/dicom"],
  ],
  "src/experiment": [
    ...["src/core", "src/platform", "src/eval", "src/settings", "src/train", "src/run"],
    ...["src/terminal", "src/pictures"],
  ],
  "src/portability": [
    ...["src/core", "src/gpu", "src/platform", "src/hosts", "kernels", "src/reference", "src/nn"],
    ...["src/tune", "src/data", "src/infer", "src/settings", "src/train", "src/choose"],
    ...["src/terminal", "package.json"],
  ],
  "src/cli": ["*"],
};

/** Folders of the engine: no Bun, no Node, no file system, no package. */
const PURE = ["src/core", "src/gpu", "src/tune", "kernels", "src/reference", "src/nn"];

const files = new Map<string, string>();
for (const pattern of ["src/**/*.ts", "kernels/**/*.ts"]) {
  for (const path of new Glob(pattern).scanSync(root)) {
    files.set(normalize(path).replaceAll("\\", "/"), readFileSync(join(root, path), "utf8"));
  }
}

function folderOf(path: string): string {
  return path.startsWith("src/") ? path.split("/").slice(0, 2).join("/") : path.split("/")[0]!;
}

/** Every specifier in the text, of types too. */
function specifiers(text: string): string[] {
  const found = text.matchAll(/(?:^import|\bfrom|\bimport\() ?"([^"\n]+)"/gm);
  return [...found].map((m) => m[1]!);
}

function resolved(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const path = normalize(join(dirname(from), specifier)).replaceAll("\\", "/");
  return [path, `${path}.ts`, `${path}/index.ts`].find((p) => files.has(p)) ?? path;
}

/** Whether the code uses a global of Bun or Node. */
function namesBunOrNode(text: string): boolean {
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  return /\b(Bun|process|Buffer|require)\b[.(]/.test(code);
}

test("every room is in the table", () => {
  expect(Object.keys(MAY_IMPORT).sort()).toEqual(
    [...new Set([...files.keys()].map(folderOf))].sort(),
  );
});

test("folders import only what lies below them", () => {
  const wrong: string[] = [];
  for (const [path, text] of files) {
    const allowed = MAY_IMPORT[folderOf(path)] ?? [];
    if (allowed.includes("*")) continue;
    for (const specifier of specifiers(text)) {
      const target = resolved(path, specifier);
      if (!target) continue;
      const folder = folderOf(target);
      if (folder !== folderOf(path) && !allowed.includes(folder)) wrong.push(`${path} → ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("the engine touches no Bun, Node, file system or package; only dawn.ts imports webgpu", () => {
  const wrong: string[] = [];
  for (const [path, text] of files) {
    for (const specifier of specifiers(text)) {
      const isPackage = !specifier.startsWith(".");
      const isDawn = specifier === "webgpu";
      if (isDawn ? path !== "src/hosts/dawn.ts" : isPackage && PURE.includes(folderOf(path))) {
        wrong.push(`${path}: ${specifier}`);
      }
    }
    if (PURE.includes(folderOf(path)) && namesBunOrNode(text)) {
      wrong.push(`${path}: a global of Bun or Node`);
    }
  }
  expect(wrong).toEqual([]);
});

/** Files that `path` loads at run time, itself among them, and what they load that is no file of ours. */
function closure(path: string): { paths: Set<string>; packages: Set<string> } {
  const transpiler = new Bun.Transpiler({ loader: "ts" });
  const [paths, packages] = [new Set([path]), new Set<string>()];
  for (const each of paths) {
    if (!files.has(each)) continue; // a shader
    for (const { path: specifier } of transpiler.scanImports(files.get(each)!)) {
      const target = resolved(each, specifier);
      if (target) paths.add(target);
      else packages.add(specifier);
    }
  }
  return { paths, packages };
}

/** The folders and codecs that a browser page predicts with. They may load a package that runs there. */
const FOR_A_PAGE =
  /^src\/((infer|decision|eval|brain|change|quality|viewer\/page|live\/page|web\/page)\/|run\/(matched_pair|predict_read|result_of_pair|start_parameters|trained_weights)|data\/(safetensors|nifti_decode|nifti_encode|pair)\.ts$)/;
/** Packages that run in a page too. */
const PACKAGES_OF_A_PAGE = ["zod", "nifti-reader-js", "@niivue/niivue", "uplot", "dcm2niix-module"];

test("a page can import what predicts and the codecs: no Bun, Node or file system", () => {
  const entries = [...files.keys()].filter((path) => FOR_A_PAGE.test(path));
  for (const entry of [
    "src/infer/answer.ts",
    "src/run/predict_read.ts",
    "src/web/page/worker.ts",
    "src/data/nifti_decode.ts",
  ]) {
    expect(entries).toContain(entry);
  }
  for (const entry of entries) {
    const { paths, packages } = closure(entry);
    expect(
      [...packages].filter((name) => !PACKAGES_OF_A_PAGE.includes(name)),
      entry,
    ).toEqual([]);
    const wrong = [...paths].filter((path) => namesBunOrNode(files.get(path) ?? ""));
    expect(wrong, entry).toEqual([]);
  }
});

test("training and the sliding window do not know where they run", () => {
  for (const entry of ["src/train/trainer.ts", "src/infer/sliding_window.ts", "kernels/index.ts"]) {
    const { paths, packages } = closure(entry);
    expect(paths.size).toBeGreaterThan(10);
    expect([...paths].filter((path) => /^src\/(hosts|platform|cli)\//.test(path))).toEqual([]);
    expect([...packages], entry).toEqual([]);
  }
});

/** Below the commands, what shows their functions on the terminal. */
const AT_THE_TERMINAL = ["src/run/terminal_observer.ts"];

test("the functions below the commands need no terminal", () => {
  const silent = [...files].filter(
    ([path]) =>
      /^src\/(run|choose|train|infer|decision)\//.test(path) && !AT_THE_TERMINAL.includes(path),
  );
  expect(silent.length).toBeGreaterThan(30);
  const loud = /process\.(exitCode|exit\(|stdout|stderr)|\bconsole\.|\bsay\(/;
  expect(silent.filter(([, text]) => loud.test(text)).map(([path]) => path)).toEqual([]);
});

test("each host loads what its place has: no bun:ffi in Node, nothing of Node's in a page", () => {
  const packagesOf = (host: string) => [...closure(`src/hosts/${host}.ts`).packages].sort();
  expect(packagesOf("bun")).toContain("bun:ffi");
  const node = packagesOf("node");
  expect(node).toContain("webgpu");
  expect(node.filter((name) => name !== "webgpu" && !name.startsWith("node:"))).toEqual([]);
  for (const host of ["deno", "browser"]) expect(packagesOf(host)).toEqual([]);
});

/** Groups of files that import one another, directly or through others. */
function circles(importsOf: (text: string) => readonly string[]): string[] {
  const edges = new Map<string, readonly string[]>();
  for (const [path, text] of files) {
    edges.set(
      path,
      importsOf(text).flatMap((specifier) => resolved(path, specifier) ?? []),
    );
  }
  const reached = (from: string) => {
    const found = new Set(edges.get(from));
    for (const path of found) for (const target of edges.get(path) ?? []) found.add(target);
    return found;
  };
  const reach = new Map([...files.keys()].map((path) => [path, reached(path)]));
  const turning = [...files.keys()].filter((path) => reach.get(path)!.has(path)).sort();
  const groups = turning.map((path) =>
    turning.filter((other) => reach.get(path)!.has(other) && reach.get(other)!.has(path)),
  );
  return [...new Set(groups.map((group) => group.join(" ↔ ")))];
}

test("no file imports itself through others at run time", () => {
  const transpiler = new Bun.Transpiler({ loader: "ts" });
  expect(circles((text) => transpiler.scanImports(text).map(({ path }) => path))).toEqual([]);
});

test("nor in types, but for the graph, its ops and its tensors", () => {
  expect(circles(specifiers)).toEqual(["src/core/graph.ts ↔ src/core/op.ts ↔ src/core/tensor.ts"]);
});
