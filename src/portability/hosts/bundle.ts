/** Makes the program of a worker: a file of src/hosts, the worker's module, and what runs both. */
import { mkdtempSync, readdirSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BunPlugin } from "bun";
import { removeQuietly } from "../../platform/leftovers";

export interface Program {
  /** Name of a file of src/hosts. */
  readonly place: "bun" | "node" | "deno" | "browser";
  /** Path of a module that exports `serve`. */
  readonly worker: string;
}

const ROOT = join(import.meta.dir, "..", "..", "..");
const made = new Map<string, Promise<string>>();
let folder: string | undefined;

const PREFIX = "voxgrad-portability-";
const DAY_MS = 86_400_000;

/** The folder of this process's programs; removed when it ends. */
function scratch(): string {
  if (folder) return folder;
  removeStale();
  const temporary = mkdtempSync(join(tmpdir(), PREFIX));
  process.on("exit", () => removeQuietly(temporary));
  folder = temporary;
  return temporary;
}

/**
 * Those of processes that were killed, and of `bun test`, which tells nobody that it ends. A folder of
 * another user cannot be removed, and stays.
 */
function removeStale(): void {
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(PREFIX))) {
    const path = join(tmpdir(), name);
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > DAY_MS) removeQuietly(path);
  }
}

/**
 * Path of an ES module that lists adapters or serves on one; each is made once.
 * Bun runs the sources as they are; for the others all is one file, with the WGSL in it.
 */
export function workerProgram(program: Program): Promise<string> {
  const key = JSON.stringify(program);
  const found = made.get(key) ?? makeProgram(program, join(scratch(), `${made.size}`));
  made.set(key, found);
  return found;
}

async function makeProgram({ place, worker }: Program, base: string): Promise<string> {
  const run = place === "browser" ? "runPage" : "runProcess";
  const entry = place === "browser" ? "page" : "process";
  const main = `${base}.ts`;
  const from = (path: string) => JSON.stringify(path);
  await writeFile(
    main,
    `import * as place from ${from(join(ROOT, "src", "hosts", `${place}.ts`))};
import { ${run} } from ${from(join(import.meta.dir, "entry", `${entry}.ts`))};
import { serve } from ${from(worker)};
await ${run}(place, { serve });
`,
  );
  if (place === "bun") return main;
  const target = place === "browser" ? "browser" : "node";
  const result = await Bun.build({
    entrypoints: [main],
    target,
    format: "esm",
    plugins: [dawnFromHere],
    loader: { ".wgsl": "text" },
    throw: false,
  });
  const [output] = result.outputs;
  if (!result.success || !output) {
    throw new Error(`${worker} cannot be bundled for ${place}:\n${result.logs.join("\n")}`);
  }
  await Bun.write(`${base}.mjs`, output);
  return `${base}.mjs`;
}

/** The npm package `webgpu` loads a binary that lies beside it: it stays where it is. */
const dawnFromHere: BunPlugin = {
  name: "dawn from node_modules",
  setup(build) {
    build.onResolve({ filter: /^webgpu$/ }, () => ({
      path: pathToFileURL(Bun.resolveSync("webgpu", ROOT)).href,
      external: true,
    }));
  },
};
