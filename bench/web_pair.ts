/**
 * The page that predicts by itself on a real pair, in Chromium (SwiftShader) or Firefox (lavapipe), beside the
 * command line's answer: the numbers of docs/guides/web.md, and pictures of every state at two sizes.
 * bun bench/web_pair.ts T1 T2 OUT [chromium|firefox]
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
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
import { madeFile, serveSite } from "../test/web_rig";

const SIZES = [
  { width: 1280, height: 720 },
  { width: 820, height: 1180 },
] as const;
/** A software driver may take an hour for a whole head. */
const SECONDS = 3 * 3600;

type Size = (typeof SIZES)[number];

/** What both drivers of browsers can do. */
interface Driven {
  evaluate<T>(expression: string): Promise<T>;
  choose(selector: string, path: string): Promise<void>;
  size(size: Size): Promise<void>;
  shot(path: string): Promise<unknown>;
  close(): Promise<void>;
}

const [t1, t2, out, name = "chromium"] = process.argv.slice(2) as [string, string, string, string?];
mkdirSync(out, { recursive: true });
const site = await buildSite(join(out, "site"));
const server = serveSite(site.folder);
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
  await tab.goto(server.url.href);
  return {
    evaluate: (expression) => tab.evaluate(expression),
    choose: (selector, path) => tab.setInputFiles(selector, path),
    size: (size) => tab.setViewportSize(size),
    shot: (path) => tab.screenshot({ path }),
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
  await tab.goto(server.url.href);
  return {
    evaluate: (expression) => tab.evaluate(expression),
    choose: async (selector, path) => (await tab.$(selector))!.uploadFile(path),
    size: (size) => tab.setViewport(size),
    shot: (path) => tab.screenshot({ path }),
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
    const path = join(out, `${name}-${state}-${size.width}.png`);
    // A busy machine draws too slowly for the driver's patience: the numbers do not wait for pictures.
    await page.shot(path).catch((error) => printResult(`${path}: ${error.message.split("\n")[0]}`));
  }
  await page.size(SIZES[0]);
}

async function predictInPage(): Promise<void> {
  await until(`document.querySelector("#graphics").dataset.state`);
  const text = (id: string) =>
    page.evaluate<string>(`document.querySelector("#${id}").textContent`);
  printResult(`${seconds()} s: ${await text("graphics")}`);
  await shots("start");
  const loaded = requests.length;
  await page.choose("#slots .slot:nth-child(1) input", t1);
  await page.choose("#slots .slot:nth-child(2) input", t2);
  await until(
    `document.body.hasAttribute("data-preview") || document.querySelector("#start-error").textContent`,
  );
  printResult(`${seconds()} s: scans are shown ${await text("start-error")}`);
  await page.evaluate(`document.querySelector("#find").click()`);
  await until(`document.querySelector("#run-count").textContent.includes("left")`);
  printResult(`${seconds()} s: first windows`);
  await shots("running");
  await until(
    `!document.body.hasAttribute("data-preview") || document.querySelector("#run-error").textContent`,
  );
  printResult(`${seconds()} s: ${await text("answer")} ${await text("run-error")}`);
  await until(`document.querySelector("#answer").textContent.includes("lesion")`);
  for (const kind of ["probability", "mask", "report"]) {
    await Bun.write(fileOf(kind), await madeFile(page, kind));
  }
  await shots("result");
  const later = requests.slice(loaded).filter((url) => !url.startsWith("blob:"));
  printResult(`requests: ${loaded} for the page, ${later.length} after it`);
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
