/**
 * The viewer in a real browser: load, jump, decide, draw, save, flicker, without a request to anywhere else.
 * Left out where no Chromium can be had. Pictures of the page stay in runs/viewer-screenshots.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCanvas, loadImage } from "@napi-rs/canvas";
import { readMask } from "../src/data/nifti_read";
import { makePatient } from "../src/data/phantom/patient";
import { lesionStrip } from "../src/pictures/lesion";
import type { Decisions } from "../src/result/decisions";
import type { Result } from "../src/result/parts";
import { RESULT_FILES } from "../src/result/record";
import { MOST_PICTURES, reportHtml } from "../src/result/report_html";
import { writeResult } from "../src/result/result_folder";
import { serveViewer, type ViewerServer } from "../src/viewer/server";
import { openBrowser, type TestBrowser, type TestPage, until } from "./browser_rig";
import { smallResult } from "./viewer_rig";

const SHOTS = join(import.meta.dir, "../runs/viewer-screenshots");
const SIZES = [
  { width: 1280, height: 720 },
  { width: 1024, height: 768 },
] as const;

const browser: TestBrowser | string = await openBrowser();
const root = mkdtempSync(join(tmpdir(), "voxgrad-page-"));
let server: ViewerServer;

/** A head with one lesion that a person would see, and a second one. */
function headResult(): Result {
  const [visit1, visit2] = makePatient(
    { seed: 3, spacing: 2, fieldOfView: [160, 190, 160] },
    0,
  ).visits;
  const { size, affine } = visit1;
  const small = smallResult({ size, affine }, [
    [24, 60, 50],
    [52, 40, 38],
  ]);
  return { ...small, visit1, visit2 };
}

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  await writeResult(join(root, "one"), headResult());
  await writeResult(join(root, "two"), headResult());
  server = await serveViewer([join(root, "one"), join(root, "two")]);
});
afterAll(async () => {
  if (typeof browser !== "string") await browser.close();
  await server.stop();
  rmSync(root, { recursive: true });
});

interface Opened {
  readonly page: TestPage;
  readonly problems: string[];
  readonly foreign: string[];
}

async function openPage(size: (typeof SIZES)[number] = SIZES[0]): Promise<Opened> {
  if (typeof browser === "string") throw new Error(browser);
  const page = await browser.newPage();
  const problems: string[] = [];
  const foreign: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(server.url) && !/^(data|blob):/.test(url)) foreign.push(url);
  });
  await page.setViewportSize(size);
  await page.goto(server.url);
  await until(page, `document.querySelectorAll("#worklist li").length === 2`);
  return { page, problems, foreign };
}

const openPatient = async (page: TestPage, n: number) => {
  await page.click(`#worklist li:nth-child(${n}) button`);
  await until(page, `document.querySelector("#lesions li[aria-current=true]")`, 60);
};

/** How many pixels of the outlines' colour there are in a picture of the page, in a rectangle of shares of it. */
const orange = async (path: string, part: readonly number[]): Promise<number> =>
  (await orangeRows(path, part)).length;

/** The row of the rectangle of each of them. */
async function orangeRows(
  path: string,
  [left, top, right, bottom]: readonly number[],
): Promise<number[]> {
  const image = await loadImage(path);
  const { width, height } = image;
  const context = createCanvas(width, height).getContext("2d");
  context.drawImage(image, 0, 0);
  const [x, y] = [Math.round(left! * width), Math.round(top! * height)];
  const columns = Math.round(right! * width) - x;
  const { data } = context.getImageData(x, y, columns, Math.round(bottom! * height) - y);
  const rows: number[] = [];
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    if (Math.abs(r - 255) < 30 && Math.abs(g - 138) < 40 && Math.abs(b - 61) < 50) {
      rows.push(Math.floor(i / 4 / columns));
    }
  }
  return rows;
}

/** Mean grey of a part of a picture. */
async function brightness(
  path: string,
  [left, top, right, bottom]: readonly number[],
): Promise<number> {
  const image = await loadImage(path);
  const { width, height } = image;
  const [x, y] = [left! * width, top! * height];
  const part = createCanvas(Math.round(right! * width - x), Math.round(bottom! * height - y));
  part.getContext("2d").drawImage(image, -x, -y);
  const { data } = part.getContext("2d").getImageData(0, 0, part.width, part.height);
  let sum = 0;
  for (let i = 0; i < data.length; i += 4) sum += data[i + 1]!;
  return (4 * sum) / data.length;
}

/** Of the two pictures at 1280 × 720, and both together. */
const VISIT_1 = [0.01, 0.1, 0.37, 0.9];
const VISIT_2 = [0.39, 0.1, 0.755, 0.9];
const BOTH = [0.01, 0.1, 0.755, 0.9];

const decisionsOf = async (name: string): Promise<Decisions> =>
  JSON.parse(await readFile(join(root, name, RESULT_FILES.decisions), "utf8"));

const saved = (page: TestPage) =>
  until(page, `document.querySelector("#saved").textContent === "saved"`);

const skipped = typeof browser === "string" ? ` (no browser: ${browser.slice(0, 80)})` : "";
describe.skipIf(typeof browser === "string")(`the page${skipped}`, () => {
  test("loads, jumps, flickers: at both sizes nothing is cut off", async () => {
    for (const size of SIZES) {
      const { page, problems, foreign } = await openPage(size);
      const shot = (name: string) => ({
        path: join(SHOTS, `${name}-${size.width}x${size.height}.png`),
      });
      await page.screenshot(shot("worklist"));
      await openPatient(page, 1);
      await page.screenshot(shot("loaded"));
      const cut = await page.evaluate<
        string[]
      >(`[...document.querySelectorAll("button, figure, #lesions")]
        .filter((e) => e.offsetParent && !e.closest("#lesions li") && !e.closest("dialog"))
        .filter((e) => { const b = e.getBoundingClientRect();
          return b.right > innerWidth + 0.5 || b.bottom > innerHeight + 0.5 || e.scrollWidth > e.clientWidth + 1; })
        .map((e) => e.outerHTML.slice(0, 80))`);
      expect(cut).toEqual([]);
      // NiiVue writes a letter above the middle of the axial plane.
      const room = await page.evaluate<
        number[]
      >(`[...document.querySelectorAll(".visit")].map((e) => {
        const { left, width } = e.getBoundingClientRect();
        const axial = e.hasAttribute("data-wide") ? 0.6 * width : width;
        return left + axial / 2 - e.querySelector("figcaption").getBoundingClientRect().right; })`);
      for (const pixels of room) expect(pixels).toBeGreaterThan(10);
      await page.keyboard.press("ArrowDown");
      expect(await page.textContent("#lesions li[aria-current=true] .number")).toBe("2");
      await page.keyboard.press("Space");
      const visible = () =>
        page.evaluate<string[]>(
          `[...document.querySelectorAll(".visit")].filter((e) => getComputedStyle(e).visibility === "visible").map((e) => e.id)`,
        );
      expect(await visible()).toEqual(["visit1"]);
      await page.keyboard.press("Space");
      expect(await visible()).toEqual(["visit2"]);
      await Bun.sleep(500);
      await page.screenshot(shot("flicker"));
      await page.keyboard.press("s");
      expect(await visible()).toEqual(["visit1", "visit2"]);
      await page.keyboard.press("?");
      await page.screenshot(shot("help"));
      await page.keyboard.press("Escape");
      expect({ problems, foreign }).toEqual({ problems: [], foreign: [] });
    }
  }, 180_000);

  test("outlines lie on both visits, on the slice of the lesion alone, and can be taken away", async () => {
    const { page } = await openPage();
    await openPatient(page, 1);
    // Marks that lie beside the picture, or are stretched, outline what is no lesion.
    const places = await page.evaluate<number[][][]>(
      `[...document.querySelectorAll(".visit")].map((visit) => [...visit.querySelectorAll("canvas")].map((canvas) => {
        const { x, y, width, height } = canvas.getBoundingClientRect();
        return [x, y, width, height, canvas.width, canvas.height];
      }))`,
    );
    expect(places).toHaveLength(2);
    for (const [picture, marks] of places) expect(marks).toEqual(picture!);
    const path = join(SHOTS, "outline.png");
    const count = async (part: readonly number[]) => {
      await Bun.sleep(300);
      await page.screenshot({ path });
      return orange(path, part);
    };
    const [one, two] = [await count(VISIT_1), await count(VISIT_2)];
    expect(one).toBeGreaterThan(60);
    expect(Math.abs(one - two)).toBeLessThan(0.2 * one);
    await page.keyboard.press("o");
    expect(await count(BOTH)).toBe(0);
    await page.keyboard.press("o");
    // Away from both lesions in every plane.
    for (let i = 0; i < 14; i++) await page.keyboard.press("PageUp");
    for (let i = 0; i < 12; i++) await page.keyboard.press("ArrowLeft");
    for (let i = 0; i < 10; i++) await page.keyboard.press("Home");
    expect(await count(BOTH)).toBe(0);
  }, 120_000);

  test("the wheel moves both visits, a right drag both grey windows, the keys zoom both", async () => {
    const { page, problems } = await openPage();
    await openPatient(page, 2);
    const path = join(SHOTS, "mouse.png");
    const seen = async () => {
      await Bun.sleep(700);
      await page.screenshot({ path });
    };
    /** Axial slice of a visit. */
    const axial = ([left, , right]: readonly number[]) => [left!, 0.1, right!, 0.58];
    await seen();
    expect(await orange(path, axial(VISIT_1))).toBeGreaterThan(10);
    expect(await orange(path, axial(VISIT_2))).toBeGreaterThan(10);
    await page.mouse.move(250, 250);
    for (let i = 0; i < 6; i++) await page.mouse.wheel(0, 120);
    await seen();
    expect(await orange(path, axial(VISIT_1))).toBe(0);
    expect(await orange(path, axial(VISIT_2))).toBe(0);
    const before = [await brightness(path, VISIT_1), await brightness(path, VISIT_2)];
    await page.mouse.move(730, 260);
    await page.mouse.down({ button: "right" });
    await page.mouse.move(730, 190, { steps: 5 });
    await page.mouse.up({ button: "right" });
    await seen();
    const after = [await brightness(path, VISIT_1), await brightness(path, VISIT_2)];
    for (const i of [0, 1]) expect(after[i]!).toBeGreaterThan(1.1 * before[i]!);
    await page.keyboard.press("0");
    await seen();
    expect(Math.abs((await brightness(path, VISIT_1)) - before[0]!)).toBeLessThan(
      0.02 * before[0]!,
    );
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    await seen();
    const small = await orange(path, axial(VISIT_1));
    for (let i = 0; i < 3; i++) await page.keyboard.press("+");
    await seen();
    const large = [await orange(path, axial(VISIT_1)), await orange(path, axial(VISIT_2))];
    for (const count of large) expect(count).toBeGreaterThan(1.5 * small);
    expect(problems).toEqual([]);
  }, 120_000);

  test("on a tablet a finger moves the crosshair, and draws", async () => {
    if (typeof browser === "string") return;
    const page = await browser.newPage({ hasTouch: true, viewport: SIZES[1] });
    await page.goto(server.url);
    await until(page, `document.querySelectorAll("#worklist li").length === 2`);
    await openPatient(page, 2);
    const path = join(SHOTS, "touch.png");
    /** The axial slice of visit 2 at 1024 × 768, inside the frame that says that one draws. */
    const axial = [0.385, 0.12, 0.69, 0.58];
    const count = async () => {
      await Bun.sleep(500);
      await page.screenshot({ path });
      return orange(path, axial);
    };
    expect(await count()).toBeGreaterThan(10);
    // On the coronal plane of visit 1, low: the axial slice is then another.
    await page.touchscreen.tap(100, 640);
    expect(await count()).toBe(0);
    await page.keyboard.press("b");
    await page.touchscreen.tap(560, 300);
    expect(await count()).toBeGreaterThan(20);
    await page.keyboard.press("z");
    expect(await count()).toBe(0);
  }, 120_000);

  test("on a tablet two fingers zoom both visits, and move them along", async () => {
    if (typeof browser === "string") return;
    const page = await browser.newPage({ hasTouch: true, viewport: SIZES[1] });
    await page.goto(server.url);
    await until(page, `document.querySelectorAll("#worklist li").length === 2`);
    await openPatient(page, 2);
    const fingers = await page.context().newCDPSession(page);
    const touch = (type: string, ...ys: number[]) =>
      fingers.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: ys.map((y, id) => ({ x: 180, y, id })),
      });
    /** The axial slices of both visits at 1024 × 768. */
    const axial = [
      [0.01, 0.12, 0.35, 0.58],
      [0.36, 0.12, 0.7, 0.58],
    ] as const;
    const path = join(SHOTS, "two-fingers.png");
    const seen = async () => {
      await Bun.sleep(500);
      await page.screenshot({ path });
      const both = await Promise.all(axial.map((part) => orangeRows(path, part)));
      return both.map((rows) => ({
        count: rows.length,
        middle: rows.reduce((sum, row) => sum + row, 0) / rows.length,
      }));
    };
    const before = await seen();
    await touch("touchStart", 250);
    await touch("touchStart", 250, 290);
    await touch("touchMove", 240, 300);
    await touch("touchMove", 230, 310);
    const near = await seen();
    near.forEach(({ count }, i) => {
      expect(count).toBeGreaterThan(1.4 * before[i]!.count);
    });
    await touch("touchMove", 210, 290);
    await touch("touchMove", 190, 270);
    await touch("touchEnd");
    (await seen()).forEach(({ count, middle }, i) => {
      expect(count).toBeGreaterThan(1.4 * before[i]!.count);
      expect(Math.abs(near[i]!.middle - middle - 40)).toBeLessThan(8);
    });
  }, 120_000);

  test("a brush leaves its outline under the pointer, in every plane, at any size and convention", async () => {
    const { page, problems } = await openPage();
    await openPatient(page, 2);
    await page.keyboard.press("b");
    // Shares of the pictures' height and width, of visit 2: axial, coronal, sagittal.
    const places = [
      [0.75, 0.3],
      [0.62, 0.82],
      [0.88, 0.86],
    ] as const;
    for (const size of [SIZES[1], { width: 1111, height: 703 }, SIZES[0]]) {
      await page.setViewportSize(size);
      await page.keyboard.press("x");
      await Bun.sleep(600);
      const box = await page.evaluate<{ x: number; y: number; width: number; height: number }>(
        `document.querySelector("#pictures").getBoundingClientRect().toJSON()`,
      );
      for (const [across, down] of places) {
        const [x, y] = [box.x + across * box.width, box.y + down * box.height];
        const part = [x - 9, y - 9, x + 9, y + 9].map(
          (v, i) => v / (i % 2 ? size.height : size.width),
        );
        const path = join(SHOTS, "brush.png");
        const count = async () => {
          await Bun.sleep(150);
          await page.screenshot({ path });
          return orange(path, part);
        };
        const before = await count();
        await page.mouse.move(x, y);
        await page.mouse.down();
        await page.mouse.up();
        const after = await count();
        expect(after - before, JSON.stringify({ size, across, down })).toBeGreaterThan(10);
        await page.keyboard.press("z");
        expect(await count()).toBe(before);
      }
    }
    expect(problems).toEqual([]);
  }, 180_000);

  test("accept, reject, note, draw, undo, erase: saved as they were done, and there again after a reload", async () => {
    const { page, problems } = await openPage();
    await openPatient(page, 1);
    await page.fill("#reader", "QQ");
    await page.keyboard.press("Tab");
    await page.evaluate(`document.activeElement.blur()`);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("r"); // and on to lesion 1, which is open
    await page.keyboard.press("n");
    await page.keyboard.press("x");
    await page.keyboard.press("Enter");
    await page.keyboard.press("b");
    // On the axial slice of visit 2, through what is shown as the middle of the head.
    await page.mouse.move(700, 220);
    await page.mouse.down();
    await page.mouse.move(712, 228, { steps: 4 });
    await page.mouse.up();
    await saved(page);
    await until(page, `document.querySelectorAll("#lesions li").length === 3`);
    const first = await readMask(join(root, "one", RESULT_FILES.mask));
    const drawn = await readMask(join(root, "one", RESULT_FILES.corrected));
    expect(drawn.affine).toEqual(first.affine);
    const added = [...drawn.data.keys()].filter((i) => drawn.data[i] === 1 && first.data[i] === 0);
    const gone = [...drawn.data.keys()].filter((i) => drawn.data[i] === 0 && first.data[i] === 1);
    expect(gone.length).toBe(4); // lesion 2
    expect(added.length).toBeGreaterThan(8);
    // One slice: that of the crosshair, which is lesion 1's.
    const [nx, ny] = first.size;
    const slices = new Set(added.map((i) => Math.floor(i / (nx * ny))));
    expect(slices.size).toBe(1);
    expect(Math.abs([...slices][0]! - 50.5)).toBeLessThan(1);
    await page.screenshot({ path: join(SHOTS, "drawn-1280x720.png") });
    const { reader, lesions, log, weights } = await decisionsOf("one");
    expect({ reader, weights }).toEqual({
      reader: "QQ",
      weights: [{ name: "w.safetensors", sha256: "ab".repeat(32) }],
    });
    expect(lesions.map(({ decision, note }) => [decision, note])).toEqual([
      ["open", "x"],
      ["rejected", ""],
      ["accepted", ""],
    ]);
    expect(log.map(({ action }) => action)).toEqual(["reject", "note", "draw"]);
    await page.goto(server.url);
    await until(page, `document.querySelectorAll("#worklist li").length === 2`);
    expect(await page.textContent("#worklist li:first-child .state")).toBe("begun");
    await openPatient(page, 1);
    expect(await page.evaluate<number>(`document.querySelectorAll("#lesions li").length`)).toBe(3);
    expect(await page.textContent("#lesions li.rejected .number")).toBe("2");
    expect(problems).toEqual([]);
  }, 180_000);

  test("a patient is finished when nothing is undecided, and the next one comes", async () => {
    const { page, problems } = await openPage();
    await openPatient(page, 2);
    await page.keyboard.press("Enter");
    await until(
      page,
      `/2 lesions are undecided/.test(document.querySelector("#message").textContent)`,
    );
    await page.keyboard.press("a");
    await page.keyboard.press("a");
    await page.keyboard.press("Enter");
    // The first patient comes, which nobody has accepted as a whole.
    await until(
      page,
      `document.querySelectorAll("#lesions .accepted[aria-pressed=true]").length !== 2 &&
        document.querySelector("#lesions li[aria-current=true]")`,
      60,
    );
    const { finished, log } = await decisionsOf("two");
    expect(finished).not.toBeNull();
    const last = log.slice(-3).map(({ action }) => action);
    expect(last).toEqual(["accept", "accept", "finish"]);
    await page.keyboard.press("w");
    await until(page, `!document.querySelector("#worklist").hidden`);
    expect(await page.textContent("#worklist li:nth-child(2) .state")).toBe("done");
    expect(problems).toEqual([]);
  }, 180_000);

  test("the report prints to two pages of A4, with more lesions than it shows and long lines", async () => {
    if (typeof browser === "string") return;
    const result = headResult();
    const [first] = result.record.lesions;
    const lesions = Array.from({ length: 30 }, (_, i) => ({ ...first!, id: i + 1 }));
    const line =
      "visit 1: voxels of 0.72 × 0.72 × 4 mm, slices of 4 mm, fluid 80 % darker than the brain, noise 2 %";
    const quality = { fit: false, lines: Array.from({ length: 8 }, () => line) };
    const path = join(root, "report.html");
    const strip = lesionStrip(result.visit1, result.visit2, result.mask);
    const pictures = Array.from({ length: MOST_PICTURES }, () => strip);
    await writeFile(path, reportHtml({ ...result.record, lesions, quality }, pictures));
    const page = await browser.newPage();
    await page.goto(`file://${path}`);
    await page.screenshot({ path: join(SHOTS, "report.png"), fullPage: true });
    const pdf = await page.pdf({
      path: join(SHOTS, "report.pdf"),
      format: "A4",
      preferCSSPageSize: true,
    });
    const pages = Buffer.from(pdf)
      .toString("latin1")
      .match(/\/Type\s*\/Page[^s]/g);
    expect(pages?.length).toBe(2);
  }, 60_000);

  test("without a lesion, and in doubt: both are said, and it can be finished", async () => {
    if (typeof browser === "string") return;
    const result = headResult();
    const mask = { ...result.mask, data: result.mask.data.map(() => 0) };
    const quality = { fit: false, lines: ["NOT FIT: two people"] };
    const record = { ...result.record, lesions: [], newLesions: false, quality };
    await writeResult(join(root, "none"), { ...result, mask, record });
    const own = await serveViewer([join(root, "none")]);
    const page = await browser.newPage();
    await page.goto(own.url);
    await until(page, `document.querySelector("#lesions li.none")`, 60);
    expect(await page.textContent("#doubt")).toBe("NOT FIT: two people");
    expect(await page.textContent("#answer")).toMatch(/^None was found.*does not mean/);
    await page.keyboard.press("Enter");
    await until(page, `/Finished and saved/.test(document.querySelector("#message").textContent)`);
    expect((await decisionsOf("none")).finished).not.toBeNull();
    await own.stop();
  }, 60_000);

  test("every control has a name, and the page is used by the keyboard alone", async () => {
    const { page } = await openPage();
    await openPatient(page, 1);
    const nameless = await page.evaluate<string[]>(`[...document.querySelectorAll("button, input")]
      .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length))
      .map((e) => e.outerHTML)`);
    expect(nameless).toEqual([]);
    const small = await page.evaluate<string[]>(`[...document.querySelectorAll("button")]
      .filter((e) => e.offsetParent).filter((e) => e.getBoundingClientRect().height < 43)
      .map((e) => e.outerHTML)`);
    expect(small).toEqual([]);
    await page.evaluate(`document.querySelector("#lesions .jump").focus()`);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    expect(await page.evaluate<string>(`document.activeElement.getAttribute("aria-pressed")`)).toBe(
      "true",
    );
    await page.keyboard.press("u");
    await saved(page);
  }, 120_000);
});
