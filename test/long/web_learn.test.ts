/**
 * The page learns from corrections, in Chromium on SwiftShader: the loss falls, the answer changes, the
 * command line predicts with the downloaded weights. Left out where no Chromium can be had. Pictures of the
 * page stay in runs/web-screenshots.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { basename, join } from "node:path";
import { readMask, readVolume } from "../../src/data/nifti_read";
import { readSafetensors } from "../../src/data/safetensors_file";
import type { Mask } from "../../src/data/volume";
import { openDevice } from "../../src/hosts/bun";
import { sha256Of } from "../../src/run/file_hash";
import { loadModels } from "../../src/run/models";
import { predictFiles } from "../../src/run/predict_pair";
import { SHIPPED } from "../../src/run/shipped_weights";
import { openBrowser, type TestBrowser, type TestPage, until, WITH_WEBGPU } from "../browser_rig";
import { choose, MAPS_APART, servedSite, shots, visit, writeSmallPair } from "../web_rig";

const WEIGHTS = join(import.meta.dir, "../../weights/flair-new-lesions.safetensors");
const ITERATIONS = 6;

const { root, server, end } = await servedSite("learn");
const browser: TestBrowser | string = await openBrowser(WITH_WEBGPU);
afterAll(() => end(browser));

/** A page with the answer for the pair, and what went wrong in it. */
async function answered(
  from: TestBrowser,
  pair: readonly [string, string],
  iterations = ITERATIONS,
) {
  const at = `${server.url.href}?iterations=${iterations}&batch=2`;
  const { page, problems } = await visit(from, at);
  await choose(page, pair);
  await press(page, "find");
  // The list comes with the pictures, after the sentence.
  await until(page, `document.querySelector("#lesions li[aria-current=true]")`, 600);
  return { page, problems };
}

/** Strokes of the brush in the axial picture of visit 2. */
async function draw(page: TestPage): Promise<void> {
  const box = await page.evaluate<{ x: number; y: number; width: number; height: number }>(
    `document.querySelector("#visit2 canvas").getBoundingClientRect().toJSON()`,
  );
  const at = (across: number, down: number) =>
    [box.x + across * box.width, box.y + down * box.height] as const;
  await page.evaluate(`document.querySelector("#edit button").click()`);
  for (const down of [0.4, 0.415, 0.43]) {
    await page.mouse.move(...at(0.505, down));
    await page.mouse.down();
    await page.mouse.move(...at(0.545, down), { steps: 4 });
    await page.mouse.up();
  }
}

const press = (page: TestPage, id: string) =>
  page.evaluate(`document.querySelector("#${id}").click()`);

describe.skipIf(typeof browser === "string")(
  `learning in Chromium${typeof browser === "string" ? ` (${browser})` : ""}`,
  () => {
    test("the loss falls, the new weights answer here and on the command line", async () => {
      const pair = await writeSmallPair(root);
      const { page, problems } = await answered(browser as TestBrowser, pair);
      await press(page, "learn-open");
      await press(page, "learn-start");
      await until(
        page,
        `document.querySelector("#learn-error").textContent.includes("Nothing is corrected yet")`,
      );
      await page.evaluate(`document.querySelector("#lesions button.rejected").click()`);
      await draw(page);
      await shots(page, "learn-before");
      const truth = await maskOf(page);
      expect(truth.data.some((value) => value === 1)).toBe(true);
      await press(page, "learn-start");
      const losses = await lossesOf(page);
      await until(
        page,
        `document.querySelector("#learn-summary").textContent.includes("Dice")`,
        600,
      );
      await shots(page, "learn-after");
      expect(await page.textContent("#learn-summary")).toStartWith(
        `Learned ${ITERATIONS} iterations`,
      );
      expect(losses.length).toBeGreaterThan(3);
      expect(losses.every(Number.isFinite)).toBe(true);
      expect(losses.at(-1)!).toBeLessThan(losses[0]!);
      await agrees(page, pair);
      // Back to what the reader made of the first answer, by the shipped weights.
      await press(page, "learn-change");
      await until(page, `document.querySelector("#learn-swap").textContent.includes("new answer")`);
      expect((await maskOf(page)).data).toEqual(truth.data);
      expect(problems).toEqual([]);
    });

    test("Stop ends it after the iteration that runs and keeps the weights; the answer after it can be cancelled", async () => {
      const pair = await writeSmallPair(root);
      const { page, problems } = await answered(browser as TestBrowser, pair, 10_000);
      await page.evaluate(`document.querySelector("#lesions button.rejected").click()`);
      await draw(page);
      await press(page, "learn-open");
      await press(page, "learn-start");
      await until(page, `/\\d/.test(document.querySelector("#learn .legend").textContent)`, 600);
      await press(page, "learn-stop");
      await until(page, `!document.querySelector("#learn-stop").disabled`, 600);
      await press(page, "learn-stop");
      const summary = `document.querySelector("#learn-summary").textContent`;
      await until(page, `${summary}.startsWith("Learned")`, 300);
      const [, count] = /^Learned (\d+) iteration/.exec(await page.evaluate<string>(summary))!;
      const { metadata } = readSafetensors(await saved(page, "#learn-download"));
      expect(JSON.parse(metadata.checkpoint!)).toEqual({ iteration: Number(count) });
      expect(Number(count)).toBeLessThan(10_000);
      expect(problems).toEqual([]);
    });
  },
);

/** As the curve's legend says them, until the training is over. */
async function lossesOf(page: TestPage): Promise<number[]> {
  const seen: string[] = [];
  const end = performance.now() + 900_000;
  for (let isOver = false; !isOver; ) {
    if (performance.now() > end) throw new Error("the training does not end");
    const [stage, text, summary] = await page.evaluate<[string, string, string]>(
      `["#learn-stage", "#learn .legend", "#learn-summary"].map((s) => document.querySelector(s).textContent)`,
    );
    // The look for lesions after it may end between two questions.
    isOver = stage.startsWith("Looking for") || summary.includes("Dice");
    if (/\d/.test(text) && seen.at(-1) !== text && seen.push(text) === 3)
      await shots(page, "learn-running");
    await Bun.sleep(100);
  }
  return seen.map((text) => Number(text.replace(/[^\d.]/g, "")));
}

/**
 * The command line takes the weights that the page gives, and answers with them as the page did. The maps are
 * compared: a few iterations find no lesion, and two empty masks agree on nothing.
 */
async function agrees(page: TestPage, [t1, t2]: readonly [string, string]): Promise<void> {
  const map = await readVolume(await saved(page, "[data-download=probability]"));
  const path = await saved(page, "#learn-download");
  expect(basename(path)).toBe("flair-new-lesions_learned.safetensors");
  const [own, start] = [readSafetensors(path), readSafetensors(WEIGHTS)];
  expect([...own.tensors.keys()]).toEqual([...start.tensors.keys()]);
  const { format, model, lineage, checkpoint, ...others } = own.metadata;
  expect({ format, model }).toEqual({ format: start.metadata.format, model: start.metadata.model });
  expect(JSON.parse(checkpoint!)).toEqual({ iteration: ITERATIONS });
  const [parent] = JSON.parse(lineage!);
  expect(parent).toEqual({ weights: basename(WEIGHTS), sha256: sha256Of(WEIGHTS), parts: "all" });
  // The thresholds stay; a calibration was fitted on the start alone.
  const thresholds = ["decision", "validation"].filter((name) => name in start.metadata);
  expect(others).toEqual(
    Object.fromEntries(thresholds.map((name) => [name, start.metadata[name]!])),
  );
  const request = { t1, t2, precision: "f32", tune: "off", tuneSeconds: 1 } as const;
  const open = () => openDevice({ adapter: "lavapipe" });
  const models = loadModels([path], {});
  const answer = await predictFiles({ ...request, models }, open, { note: () => {} });
  const wanted = answer.map.data;
  expect(map.data.length).toBe(wanted.length);
  const apart = map.data.reduce((most, v, i) => Math.max(most, Math.abs(v - wanted[i]!)), 0);
  expect(apart).toBeLessThanOrEqual(MAPS_APART);
  // They are not the shipped weights' maps.
  const shipped = await predictFiles({ ...request, models: loadModels([SHIPPED], {}) }, open, {
    note: () => {},
  });
  const moved = shipped.map.data.reduce(
    (most, v, i) => Math.max(most, Math.abs(v - wanted[i]!)),
    0,
  );
  expect(moved).toBeGreaterThan(10 * MAPS_APART);
}

/** The mask that the page gives now. */
async function maskOf(page: TestPage): Promise<Mask> {
  return readMask(await saved(page, "[data-download=mask]"));
}

/** Presses a button that gives a file. */
async function saved(page: TestPage, selector: string): Promise<string> {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.evaluate(`document.querySelector("${selector}").click()`),
  ]);
  const path = join(root, file.suggestedFilename());
  await file.saveAs(path);
  return path;
}
