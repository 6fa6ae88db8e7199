/** The page that predicts by itself, as static files: any host serves them, without special headers. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { BunPlugin } from "bun";
import { UserError } from "../core/errors";
import { writeAtomically } from "../platform/atomic_file";
import { shippedFiles, shippedWeights } from "../run/shipped_weights";
import { pageFiles, uplotStyle, PAGE as VIEWER } from "../viewer/page_files";
import type { SiteWeights } from "./page/protocol";

const PAGE = join(import.meta.dir, "page");
const PLAIN = ["web.css", "manifest.webmanifest", "icon.svg"];
/** In the page's document, where the viewer's elements go. */
const PLACE = "<!-- viewer -->";

export interface BuiltSite {
  readonly folder: string;
  /** Bytes by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Writes the site into a folder, which may hold an older one.
 * @throws UserError where no weights come with voxgrad, or the folder cannot be written
 */
export async function buildSite(folder: string): Promise<BuiltSite> {
  const files = await siteFiles();
  mkdirSync(folder, { recursive: true });
  // The document last: what it names is there by then.
  for (const name of [...files.keys()].toSorted((a) => (a === "index.html" ? 1 : -1))) {
    writeAtomically(join(folder, name), files.get(name)!);
  }
  return { folder, files };
}

async function siteFiles(): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const add = (name: string, body: string | Uint8Array) =>
    files.set(name, typeof body === "string" ? new TextEncoder().encode(body) : body);
  for (const [name, { body }] of await pageFiles(PAGE, VIEWER)) {
    if (name !== "") add(name, body);
  }
  add("index.html", document());
  add("worker.js", await bundled("worker.ts"));
  const converter = converterFolder();
  add("dicom.js", await bundled("dicom_worker.ts", {}, join(converter, "dcm2niix.jpeg.js")));
  add("dcm2niix.wasm", readFileSync(join(converter, "dcm2niix.jpeg.wasm")));
  add("uplot.css", uplotStyle().body);
  for (const name of PLAIN) add(name, readFileSync(join(PAGE, name)));
  if (shippedWeights().length === 0) {
    throw new UserError(
      "no weights come with voxgrad here, and the page cannot predict without: restore the folder weights",
    );
  }
  const shipped = shippedFiles();
  const weights: SiteWeights = {
    files: shipped.map(({ path, shipped: { sha256 } }) => ({ name: basename(path), sha256 })),
  };
  add("weights.json", `${JSON.stringify(weights, null, 2)}\n`);
  for (const { path } of shipped) add(basename(path), readFileSync(path));
  const kept = ["./", ...[...files.keys()].filter((name) => name !== "index.html")];
  const define = {
    SITE_FILES: JSON.stringify(kept),
    SITE_VERSION: JSON.stringify(versionOf(files)),
  };
  add("service_worker.js", await bundled("service_worker.ts", define));
  return files;
}

/** The page's document, with the elements of the viewer's. */
function document(): string {
  const viewer = readFileSync(join(VIEWER, "index.html"), "utf8");
  const body = /<body>\n([\s\S]*)<\/body>/.exec(viewer)?.[1];
  if (body === undefined) throw new Error("the viewer's document has no body");
  const own = readFileSync(join(PAGE, "index.html"), "utf8");
  return own.replace(PLACE, () => body);
}

/** @throws UserError where the optional package is not installed */
function converterFolder(): string {
  try {
    return dirname(Bun.resolveSync("@niivue/dcm2niix", import.meta.dir));
  } catch {
    throw new UserError(
      "the page reads DICOM by the optional package @niivue/dcm2niix, which is not installed: bun install",
    );
  }
}

/**
 * A script that is no module: a worker of a blob, and a service worker, need one.
 * @param converter script of dcm2niix, which is a module: so is what holds it
 */
async function bundled(
  entry: string,
  define: Record<string, string> = {},
  converter?: string,
): Promise<string> {
  const plugin: BunPlugin = {
    name: "dcm2niix",
    setup: (build) =>
      void build.onResolve({ filter: /^dcm2niix-module$/ }, () => ({ path: converter! })),
  };
  const { success, logs, outputs } = await Bun.build({
    ...{ entrypoints: [join(PAGE, entry)], target: "browser", minify: true },
    ...{ format: converter ? "esm" : "iife", plugins: converter ? [plugin] : [] },
    // The converter asks for this one in Node alone.
    ...{ define, external: ["module"], loader: { ".wgsl": "text" }, throw: false },
  });
  const [output] = outputs;
  if (!success || !output) throw new Error(`${entry} cannot be bundled:\n${logs.join("\n")}`);
  return output.text();
}

function versionOf(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash("sha256");
  for (const [name, bytes] of files) hash.update(`${name}\n${bytes.length}\n`).update(bytes);
  return hash.digest("hex").slice(0, 16);
}
