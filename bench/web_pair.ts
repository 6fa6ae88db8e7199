/**
 * The page that predicts by itself on a real pair, in Chromium (SwiftShader) or Firefox (lavapipe), beside the
 * command line's answer: the numbers of docs/guides/web.md, and pictures of every state at two sizes. The
 * pictures of 1280 × 720 are what bench/web_film.ts makes its film strip of.
 * bun bench/web_pair.ts T1 T2 OUT [chromium|firefox]
 */
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { connectedComponents } from "../src/eval/components";
import { overlap } from "../src/eval/dice";
import { openDevice } from "../src/hosts/bun";
import { loadModels } from "../src/run/models";
import { predictFiles } from "../src/run/predict_pair";
import { printResult } from "../src/terminal/result";
import { buildSite } from "../src/web/build";
import { openBrowser, WITH_WEBGPU } from "../test/browser_rig";
import { openFirefox } from "../test/firefox_rig";
import { madeFile, SIZES, serveSite } from "../test/web_rig";

/** A software driver may take an hour for a whole head. */
const SECONDS = 3 * 3600;

type Size = (typeof SIZES)[number];

/** What both drivers of browsers can do. */
interface Driven {
  evaluate<T>(expression: string): Promise<T>;
  choose(selector: string, path: string): Promise<void>;
  size(size: Size): Promise<void>;
  shot(path: string): Promise<unknown>;
  /** A file in a tab of its own, as a picture. */
  shotOf(file: string, size: Size, path: string): Promise<unknown>;
  close(): Promise<void>;
}

const [t1, t2, out, name = "chromium"] = process.argv.slice(2) as [string, string, string, string?];
mkdirSync(out, { recursive: true });
const site = await buildSite(join(out, "site"));
const server = serveSite(site.folder);
// Learning is for its pictures only, and is stopped: one patch at a time.
const address = `${server.url.href}?iterations=1000&batch=1`;
const requests: string[] = [];
const page = await (name === "firefox" ? inFirefox() : inChromium());
const start = performance.now();
const seconds = () => ((performance.now() - start) / 1000).toFixed(0);
await predictInPage();
await page.close();
await server.stop(true);
await compareWithCommandLine();
process.exit(0);

async function inChromium(): Promise<Driven> {
  const browser = await openBrowser(WITH_WEBGPU);
  if (typeof browser === "string") throw new Error(browser);
  const tab = await browser.newPage();
  tab.on("request", (request) => requests.push(request.url()));
  tab.on("pageerror", (error) => printResult(`page: ${error.message}`));
  await tab.setViewportSize(SIZES[0]);
  await tab.goto(address);
  return {
    evaluate: (expression) => tab.evaluate(expression),
    choose: (selector, path) => tab.setInputFiles(selector, path),
    size: (size) => tab.setViewportSize(size),
    // The processor that draws also computes.
    shot: (path) => tab.screenshot({ path, timeout: 300_000 }),
    shotOf: async (file, size, path) => {
      const other = await browser.newPage();
      await other.setViewportSize(size);
      await other.goto(pathToFileURL(file).href);
      await other.screenshot({ path });
    },
    close: () => browser.close(),
  };
}

async function inFirefox(): Promise<Driven> {
  const browser = await openFirefox();
  if (typeof browser === "string") throw new Error(browser);
  const tab = await browser.newPage();
  tab.on("request", (request) => requests.push(request.url()));
  tab.on("pageerror", (error) => printResult(`page: ${error.message}`));
  await tab.setViewport(SIZES[0]);
  await tab.goto(address);
  return {
    evaluate: (expression) => tab.evaluate(expression),
    choose: async (selector, path) => (await tab.$(selector))!.uploadFile(path),
    size: (size) => tab.setViewport(size),
    shot: (path) => tab.screenshot({ path }),
    shotOf: async (file, size, path) => {
      const other = await browser.newPage();
      await other.setViewport(size);
      await other.goto(pathToFileURL(file).href);
      await other.screenshot({ path });
    },
    close: () => browser.close(),
  };
}

async function until(expression: string): Promise<void> {
  while (!(await page.evaluate<boolean>(`Boolean(${expression})`))) {
    if (performance.now() - start > 1000 * SECONDS) throw new Error(`never: ${expression}`);
    await Bun.sleep(200);
  }
}

async function shots(state: string): Promise<void> {
  for (const size of SIZES) {
    await page.size(size);
    await Bun.sleep(1500);
    await tried(pathOf(state, size), (path) => page.shot(path));
  }
  await page.size(SIZES[0]);
}

function pathOf(state: string, { width }: Size): string {
  return join(out, `${name}-${state}-${width}.png`);
}

/** A busy machine draws too slowly for the driver's patience: the numbers do not wait for pictures. */
async function tried(path: string, shot: (path: string) => Promise<unknown>): Promise<void> {
  await shot(path).catch((error) => printResult(`${path}: ${error.message.split("\n")[0]}`));
}

function text(id: string): Promise<string> {
  return page.evaluate(`document.querySelector("#${id}").textContent`);
}

function press(selector: string): Promise<unknown> {
  return page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
}

async function predictInPage(): Promise<void> {
  await until(`document.querySelector("#graphics").dataset.state`);
  printResult(`${seconds()} s: ${await text("graphics")}`);
  await shots("start");
  const loaded = requests.length;
  await page.choose("#slots .slot:nth-child(1) input", t1);
  await until(`document.querySelector(".slot[data-filled]")`);
  await shots("drop");
  await page.choose("#slots .slot:nth-child(2) input", t2);
  await until(
    `document.body.hasAttribute("data-preview") || document.querySelector("#start-error").textContent`,
  );
  printResult(`${seconds()} s: scans are shown ${await text("start-error")}`);
  await Bun.sleep(1500);
  await press("#find");
  await shots("register");
  await until(`document.querySelector("#run-count").textContent.includes("left")`);
  printResult(`${seconds()} s: first windows`);
  await shots("running");
  await until(
    `!document.body.hasAttribute("data-preview") || document.querySelector("#run-error").textContent`,
  );
  printResult(`${seconds()} s: ${await text("answer")} ${await text("run-error")}`);
  await until(`document.querySelector("#answer").textContent.includes("lesion")`);
  for (const kind of ["probability", "mask"]) await keep(kind, fileOf(kind));
  await shots("result");
  await correctInPage();
  const later = requests.slice(loaded).filter((url) => /^http/.test(url));
  printResult(`requests: ${loaded} for the page, ${later.length} after it`);
}

async function keep(kind: string, path: string): Promise<void> {
  await Bun.write(path, await madeFile(page, kind));
}

/** What a reader does next: rejects the second lesion, takes the files with him, lets the page learn. */
async function correctInPage(): Promise<void> {
  await press("#lesions li:nth-child(2) .jump");
  await press("#lesions li:nth-child(2) button.rejected");
  await shots("reject");
  await keep("mask", join(out, `${name}_corrected.nii.gz`));
  await shots("export");
  const report = resolve(fileOf("report"));
  await keep("report", report);
  for (const size of SIZES) {
    await tried(pathOf("report", size), (path) => page.shotOf(report, size, path));
  }
  await press("#learn-open");
  await shots("learn");
  await press("#learn-start");
  await until(`/\\d/.test(document.querySelector("#learn .legend").textContent)`);
  printResult(`${seconds()} s: ${await text("learn-count")}`);
  await shots("learning");
  await press("#learn-stop");
  await until(`document.querySelector("#learn-count").textContent.includes("window")`);
  await press("#learn-stop");
  await until(`document.querySelector("#learn-summary").textContent.includes("Learned")`);
  await shots("learned");
}

function fileOf(kind: string): string {
  return join(out, `${name}_${kind}.${kind === "report" ? "html" : "nii.gz"}`);
}

async function compareWithCommandLine(): Promise<void> {
  const [map, mask] = [join(out, "cli_probability.nii.gz"), join(out, "cli_mask.nii.gz")];
  if (!existsSync(map)) {
    const models = loadModels(["shipped"], {});
    const request = { t1, t2, models, precision: "f32", tune: "off", tuneSeconds: 1 } as const;
    const answer = await predictFiles(request, () => openDevice(), { note: () => {} });
    await writeMask(mask, answer.findings.mask);
    await writeVolume(map, answer.map);
  }
  const [wanted, got] = [await readVolume(map), await readVolume(fileOf("probability"))];
  let [most, sum] = [0, 0];
  wanted.data.forEach((value, i) => {
    const apart = Math.abs(value - got.data[i]!);
    most = Math.max(most, apart);
    sum += apart;
  });
  const [theirs, own] = [await readMask(mask), await readMask(fileOf("mask"))];
  const lesions = (m: typeof own) => connectedComponents(m.data, m.size, 6).count;
  const voxels = theirs.data.reduce((n, v, i) => n + (v === own.data[i] ? 0 : 1), 0);
  printResult(
    `maps: ${most.toExponential(1)} apart at most, ${(sum / wanted.data.length).toExponential(1)} in the mean; ` +
      `masks: ${lesions(theirs)} and ${lesions(own)} lesions, ${voxels} voxels differ, Dice ` +
      `${overlap(theirs.data, own.data).dice.toFixed(5)}; affine ${wanted.affine.join() === got.affine.join() ? "the same" : "another"}`,
  );
}
