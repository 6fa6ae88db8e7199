/**
 * The live page in a real browser, over runs that voxgrad's own writers made. Left out where no Chromium can be had.
 * Pictures of the page stay in runs/live-screenshots.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Philox } from "../src/core/random";
import { makePatient } from "../src/data/phantom/patient";
import { namedRuns } from "../src/live/find_runs";
import { type LiveServer, serveRuns } from "../src/live/server";
import { drawPatient } from "../src/pictures/patient";
import {
  appendMetrics,
  createRunFolder,
  type RunFolder,
  truncateMetrics,
} from "../src/run/run_folder";
import { RunLog } from "../src/run/run_log";
import { patientPicture } from "../src/run/run_pictures";
import { makeTrainConfig } from "../src/settings/presets";
import { openBrowser, type TestBrowser, type TestPage, until } from "./browser_rig";

const SHOTS = join(import.meta.dir, "../runs/live-screenshots");
const SIZES = [
  { width: 1280, height: 720 },
  { width: 1024, height: 768 },
  { width: 768, height: 1024 },
] as const;
const ITERATIONS = 400;

const browser: TestBrowser | string = await openBrowser();
const root = mkdtempSync(join(tmpdir(), "voxgrad-live-page-"));
let server: LiveServer;
let runs: RunFolder[] = [];

/** Reports as a training writes them, made of a curve that falls and noise. */
function report(run: RunFolder, iteration: number, seed: number): void {
  const random = new Philox(seed, iteration);
  const learningRate = 0.003 * (0.5 + 0.5 * Math.cos((Math.PI * iteration) / ITERATIONS));
  appendMetrics(run, {
    ...{ iteration, seconds: iteration * 2, learningRate },
    loss: 0.2 + 0.8 * Math.exp(-iteration / (60 + 30 * seed)) + 0.02 * random.normal(),
    positiveFraction: 0.4 + 0.05 * random.normal(),
    ...{ iterationsPerSecond: 0.5, patchesPerSecond: 5, secondsLeft: (ITERATIONS - iteration) * 2 },
    ...{ gradientLesion: 1e-3, gradientOther: 3e-4, gradientEmpty: 2e-5 },
  });
  if (iteration % 50 > 0) return;
  const dice = 0.7 * (1 - Math.exp(-iteration / 150));
  const [momentum, student] = [
    { p1: dice, p2: dice / 2 },
    { p1: dice - 0.1, p2: dice / 3 },
  ];
  appendMetrics(run, {
    ...{ iteration, seconds: iteration * 2, diceMomentum: 0.75 * dice, diceStudent: 0.6 * dice },
    ...{ lesionF1Momentum: 0.7 * dice, lesionF1Student: 0.5 * dice },
    perPatient: { momentum, student },
    lesionF1PerPatient: { momentum: student, student: momentum },
  });
}

function makeRun(name: string, seed: number, last: number): RunFolder {
  const config = makeTrainConfig("small", { iterations: ITERATIONS, learningRate: 0.001 * seed });
  const split = { data: null, train: ["a"], val: ["p1", "p2"] };
  const run = createRunFolder(join(root, name), config, split);
  for (let iteration = 5; iteration <= last; iteration += 5) report(run, iteration, seed);
  const log = new RunLog();
  log.note(`run folder ${name}; the first iteration compiles the kernels`);
  log.into(run);
  const { visits, truth } = makePatient({ seed, spacing: 2, fieldOfView: [160, 190, 160] }, 0);
  for (const id of split.val) {
    const [visit1, visit2] = visits;
    const path = patientPicture(run, id);
    drawPatient({ visit1, visit2, truth, prediction: truth, title: id, path });
  }
  return run;
}

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  runs = [makeRun("plain <b>", 1, 300), makeRun("tuned", 2, 200)];
  server = await serveRuns(namedRuns(runs.map(({ path }) => path)), { port: 0, orNext: false });
});
afterAll(async () => {
  if (typeof browser !== "string") await browser.close();
  await server.stop();
  rmSync(root, { recursive: true });
});

async function openPage(size: (typeof SIZES)[number] = SIZES[0]) {
  if (typeof browser === "string") throw new Error(browser);
  const page = await browser.newPage();
  const [problems, foreign]: [string[], string[]] = [[], []];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url) && !/^(data|blob):/.test(request.url())) {
      foreign.push(request.url());
    }
  });
  await page.setViewportSize(size);
  await page.goto(server.url);
  await until(
    page,
    `document.querySelectorAll("#runs .facts")[1]?.textContent.includes("iteration")`,
  );
  await until(page, `document.querySelectorAll(".chart canvas").length > 5`);
  return { page, problems, foreign };
}

const text = (page: TestPage, selector: string) =>
  page.evaluate<string>(`document.querySelector(${JSON.stringify(selector)}).innerText`);

const skipped = typeof browser === "string" ? ` (no browser: ${browser.slice(0, 80)})` : "";
describe.skipIf(typeof browser === "string")(`the live page${skipped}`, () => {
  test("curves, patients, log and settings at every size, with keys alone, nothing cut off", async () => {
    for (const size of SIZES) {
      const { page, problems, foreign } = await openPage(size);
      const shot = async (name: string) => {
        await Bun.sleep(300);
        await page.screenshot({ path: join(SHOTS, `${name}-${size.width}x${size.height}.png`) });
      };
      await until(
        page,
        `[...document.images].length === 2 && [...document.images].every((i) => i.naturalWidth)`,
      );
      await shot("curves");
      expect(await text(page, "#runs .name")).toBe("plain <b>");
      expect(await text(page, "#runs .facts")).toContain("iteration 300 of 400 · 10:00 min");
      expect(await text(page, ".chart:nth-child(2) .legend")).toContain("0.454");
      const cut = await page.evaluate<
        string[]
      >(`[...document.querySelectorAll("button, figure, aside, .facts")]
        .filter((e) => e.offsetParent && !e.closest("#charts, .tab, dialog"))
        .filter((e) => { const b = e.getBoundingClientRect();
          return b.right > innerWidth + 0.5 || b.bottom > innerHeight + 0.5 || e.scrollWidth > e.clientWidth + 1; })
        .map((e) => e.outerHTML.slice(0, 80))`);
      expect(cut).toEqual([]);
      await page.keyboard.press("2");
      expect(await text(page, "#log")).toContain("the first iteration compiles the kernels");
      await page.keyboard.press("3");
      expect(await text(page, "#settings tr.differs")).toMatch(/--learning-rate\s+0.001\s+0.002/);
      await page.keyboard.press("Home");
      expect(await text(page, "#reading")).toBe("at iteration 5");
      await page.keyboard.press("ArrowRight");
      expect(await text(page, "#reading")).toBe("at iteration 10");
      await page.keyboard.press("t");
      await page.keyboard.press("End");
      expect(await text(page, "#reading")).toBe("at 10:00 min");
      await shot("settings");
      await page.keyboard.press("p");
      await page.keyboard.press("ArrowRight");
      expect(await text(page, "#picture span")).toBe("p2 · 2 of 2");
      await shot("picture");
      await page.keyboard.press("Escape");
      await page.keyboard.press("n");
      await page.keyboard.press("h");
      expect(await text(page, "#runs .chosen .name")).toBe("tuned");
      expect(await page.evaluate<string>(`document.querySelectorAll(".show")[1].ariaPressed`)).toBe(
        "false",
      );
      await page.keyboard.press("?");
      await shot("help");
      expect({ problems, foreign }).toEqual({ problems: [], foreign: [] });
    }
  }, 180_000);

  test("it follows a run that goes on, and one that goes back to its checkpoint", async () => {
    const { page, problems } = await openPage();
    const [, run] = runs;
    report(run!, 205, 2);
    const facts = `document.querySelectorAll("#runs .facts")[1].textContent`;
    await until(page, `${facts}.includes("iteration 205 of 400")`);
    truncateMetrics(run!, 150);
    await until(page, `${facts}.includes("iteration 150 of 400")`);
    expect(problems).toEqual([]);
    await server.stop();
    await until(page, `document.querySelector("#problem").textContent.includes("has ended")`);
  }, 60_000);
});
