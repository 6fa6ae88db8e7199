/** The files of a page: made of its folder when a server starts, for the browser alone. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface PageFile {
  readonly type: string;
  readonly body: Uint8Array | string;
}

/** The viewer's page. */
export const PAGE = join(import.meta.dir, "page");
const FONTS = ["inter-latin-400-normal.woff2", "inter-latin-600-normal.woff2"];

/**
 * By their names.
 * @param page folder with index.html and main.ts
 * @param styles folder with page.css
 */
export async function pageFiles(
  page = PAGE,
  styles = page,
): Promise<ReadonlyMap<string, PageFile>> {
  const read = (name: string, folder = page) => readFileSync(join(folder, name));
  const fonts = FONTS.map((name): [string, PageFile] => {
    const path = fileURLToPath(import.meta.resolve(`@fontsource/inter/files/${name}`));
    return [name, { type: "font/woff2", body: readFileSync(path) }];
  });
  return new Map<string, PageFile>([
    ["", { type: "text/html; charset=utf-8", body: read("index.html") }],
    ["page.css", { type: "text/css; charset=utf-8", body: read("page.css", styles) }],
    ["page.js", { type: "text/javascript; charset=utf-8", body: await script(page) }],
    ...fonts,
  ]);
}

/** The style of the package that draws curves. */
export function uplotStyle(): PageFile {
  const path = fileURLToPath(import.meta.resolve("uplot/dist/uPlot.min.css"));
  return { type: "text/css; charset=utf-8", body: readFileSync(path) };
}

async function script(page: string): Promise<string> {
  const { success, logs, outputs } = await Bun.build({
    ...{ entrypoints: [join(page, "main.ts")], target: "browser", format: "esm", minify: true },
    throw: false,
  });
  const [output] = outputs;
  if (!success || !output) throw new Error(`the page cannot be bundled:\n${logs.join("\n")}`);
  return output.text();
}
