/** The page that predicts by itself, on a plain host, for tests in browsers. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeVolume } from "../src/data/nifti_write";
import { makePatient } from "../src/data/phantom/patient";
import { buildSite } from "../src/web/build";
import { type TestBrowser, type TestPage, until } from "./browser_rig";

/**
 * Two adapters may give maps that differ by twice what the portability suite allows one of them
 * (`FORWARD` in src/portability/cases/network.ts; a probability is at most 1).
 */
export const MAPS_APART = 2 * 46 * Math.sqrt(10) * 2 ** -24;

/** Of the pages, pixels. */
export const SIZES = [
  { width: 1280, height: 720 },
  { width: 820, height: 1180 },
] as const;
const SHOTS = join(import.meta.dir, "../runs/web-screenshots");

/** Pictures of a page at every size, kept in runs/web-screenshots. */
export async function shots(page: TestPage, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  for (const size of SIZES) {
    await page.setViewportSize(size);
    await Bun.sleep(300);
    await page.screenshot({ path: join(SHOTS, `${name}-${size.width}.png`) });
  }
  await page.setViewportSize(SIZES[0]);
}

/** A page, the requests that it makes, and what goes wrong in it. */
export interface Visited {
  readonly page: TestPage;
  readonly requests: string[];
  readonly problems: string[];
}

/** Opens the page and waits until it knows of the graphics processor. */
export async function visit(from: TestBrowser, at: string): Promise<Visited> {
  const page = await from.newPage();
  const [requests, problems]: [string[], string[]] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.setViewportSize(SIZES[0]);
  await page.goto(at);
  await until(page, `document.querySelector("#graphics").dataset.state`, 120);
  return { page, requests, problems };
}

/** The page, built and served, beside a folder for the test's own files. */
export async function servedSite(name: string) {
  const root = mkdtempSync(join(tmpdir(), `voxgrad-${name}-`));
  const site = await buildSite(join(root, "site"));
  const server = serveSite(site.folder);
  /** @param browser that showed it; a text where there was none */
  const end = async (browser: { close(): Promise<void> } | string) => {
    if (typeof browser !== "string") await browser.close();
    await server.stop(true);
    rmSync(root, { recursive: true });
  };
  return { root, site, server, end };
}

/** A host that sends files and no headers of its own. */
export function serveSite(folder: string) {
  return Bun.serve({
    ...{ hostname: "localhost", port: 0 },
    fetch(request) {
      const { pathname } = new URL(request.url);
      const file = Bun.file(join(folder, pathname === "/" ? "index.html" : pathname));
      return file.size > 0 ? new Response(file) : new Response(null, { status: 404 });
    },
  });
}

/** Two visits smaller than a head, so that nothing is registered: a few windows, with lesions that are found. */
export async function writeSmallPair(folder: string): Promise<readonly [string, string]> {
  const settings = { seed: 4, spacing: 1, fieldOfView: [40, 44, 36] } as const;
  const { visits } = makePatient(settings, 0);
  const paths = [join(folder, "one.nii.gz"), join(folder, "two.nii.gz")] as const;
  await writeVolume(paths[0], visits[0]);
  await writeVolume(paths[1], visits[1]);
  return paths;
}

export async function choose(page: TestPage, [t1, t2]: readonly [string, string]): Promise<void> {
  await page.setInputFiles("#slots .slot:nth-child(1) input", t1);
  await page.setInputFiles("#slots .slot:nth-child(2) input", t2);
  await until(page, `document.body.hasAttribute("data-preview")`, 120);
}

/** Waits for the answer. @throws Error with what the page says in its place */
export async function find(page: TestPage, seconds: number): Promise<void> {
  await page.click("#find");
  const ended = `!document.body.hasAttribute("data-preview") || document.querySelector("#run-error").textContent`;
  await until(page, ended, seconds);
  const error = await page.textContent("#run-error");
  if (error) throw new Error(error);
  await until(page, `document.querySelector("#answer").textContent.includes("lesion")`, 60);
}

export async function download(page: TestPage, kind: string, folder: string): Promise<string> {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.click(`[data-download=${kind}]`),
  ]);
  const path = join(folder, file.suggestedFilename());
  await file.saveAs(path);
  return path;
}

/** A page of any driver of browsers. */
export interface Evaluates {
  evaluate<T>(expression: string): Promise<T>;
}

/** The file that a download's button makes, taken on its way to the folder of downloads. */
export async function madeFile(page: Evaluates, kind: string): Promise<Uint8Array> {
  await page.evaluate(`{
    globalThis.makeAddress ??= URL.createObjectURL;
    globalThis.made = undefined;
    URL.createObjectURL = (blob) => makeAddress.call(URL, (globalThis.made = blob));
    document.querySelector("[data-download=${kind}]").click();
  }`);
  while (!(await page.evaluate<boolean>(`globalThis.made instanceof File`))) await Bun.sleep(100);
  const text = await page.evaluate<string>(`made.arrayBuffer().then((buffer) => {
    const bytes = new Uint8Array(buffer);
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) {
      text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    }
    return btoa(text);
  })`);
  return new Uint8Array(Buffer.from(text, "base64"));
}
