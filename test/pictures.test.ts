import { expect, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCanvas, loadImage } from "@napi-rs/canvas";
import { AXIS_ORDERS, applyAffine } from "../src/data/affine";
import type { Affine, Grid, Mask, Size3, Volume } from "../src/data/volume";
import { drawCurves } from "../src/pictures/curves";
import { drawPatient } from "../src/pictures/patient";
import {
  axialView,
  contentRect,
  fullestSlice,
  greyWindow,
  slicePixels,
  squareAround,
} from "../src/pictures/slice";
import type { Metrics } from "../src/train/metrics";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-pictures-"));

async function readPng(path: string) {
  const image = await loadImage(path);
  // Native getters, too slow for a loop over pixels.
  const { width, height } = image;
  const context = createCanvas(width, height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  /** Pixels within 40 of a colour in the rectangle. */
  const count = (colour: string, left = 0, right = width, top = 0, bottom = height) => {
    const rgb = Number.parseInt(colour.slice(1), 16);
    let n = 0;
    for (let y = top; y < bottom; y++) {
      for (let at = 4 * (y * width + left); at < 4 * (y * width + right); at += 4) {
        const red = Math.abs(data[at]! - (rgb >> 16));
        const green = Math.abs(data[at + 1]! - ((rgb >> 8) & 255));
        const blue = Math.abs(data[at + 2]! - (rgb & 255));
        if (red < 40 && green < 40 && blue < 40) n++;
      }
    }
    return n;
  };
  return { width, height, count };
}

/** The 48 ways to store an image along the anatomical axes, with voxels of 1, 2 and 3 mm. */
function* orientations(): Generator<{ name: string; affine: Affine }> {
  for (const order of AXIS_ORDERS) {
    for (let flips = 0; flips < 8; flips++) {
      const affine = Array.from({ length: 16 }, () => 0);
      order.forEach((world, axis) => {
        affine[4 * world + axis] = (axis + 1) * (flips & (1 << axis) ? -1 : 1);
      });
      affine[15] = 1;
      yield { name: `${order} ${flips}`, affine };
    }
  }
}

test("in every orientation right is on the left, anterior up, slices axial", () => {
  const size: Size3 = [3, 4, 5];
  for (const { name, affine } of orientations()) {
    const view = axialView({ size, affine });
    const world = (x: number, y: number, slice: number) => {
      const voxel = view.voxel(x, y, slice);
      return applyAffine(affine, [voxel % 3, Math.floor(voxel / 3) % 4, Math.floor(voxel / 12)]);
    };
    const corner = world(0, 0, 0);
    const [right, down] = [world(view.width - 1, 0, 0), world(0, view.height - 1, 0)];
    const next = world(0, 0, view.slices - 1);
    const difference = (a: number[]) => a.map((value, axis) => value - corner[axis]!);
    const [mmX, mmY] = view.pixelMm;
    expect(difference(right), name).toEqual([-(view.width - 1) * mmX, 0, 0]);
    expect(difference(down), name).toEqual([0, -(view.height - 1) * mmY, 0]);
    expect(difference(next).slice(0, 2), name).toEqual([0, 0]);
    expect(view.width * view.height * view.slices, name).toBe(60);
  }
});

const grid: Grid = { size: [4, 3, 3], affine: [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] };

test("the slice with most lesion, the lower of two, none of an empty mask", () => {
  const view = axialView(grid);
  const mask = new Uint8Array(36);
  expect(fullestSlice(mask, view)).toBeUndefined();
  mask.set([1, 1], 24);
  mask.set([1, 1], 13);
  expect(fullestSlice(mask, view)).toBe(1);
  mask[30] = 1;
  expect(fullestSlice(mask, view)).toBe(2);
  expect([...slicePixels(mask, view, 2)]).toEqual([1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
});

test("the grey window ignores outliers and NaN, and is never empty", () => {
  const values = Float32Array.from({ length: 1001 }, (_, i) => i);
  values[500] = Number.NaN;
  values[1000] = 1e9;
  expect(greyWindow(values)).toEqual([10, 999]);
  expect(greyWindow(new Float32Array(5).fill(7))).toEqual([7, 8]);
  expect(greyWindow(new Float32Array(3).fill(Number.NaN))).toEqual([0, 1]);
});

test("the shown part is the head with a margin, or all where there is no head", () => {
  const size: Size3 = [40, 30, 1];
  const view = axialView({ ...grid, size });
  const pixels = new Float32Array(1200);
  for (let y = 10; y < 20; y++) pixels.fill(100, 40 * y + 8, 40 * y + 30);
  pixels[3] = 100; // a single bright pixel of noise
  const part = contentRect(pixels, view, [0, 100], 2);
  expect(part).toEqual({ left: 6, top: 8, right: 32, bottom: 22 });
  const all = { left: 0, top: 0, right: 40, bottom: 30 };
  expect(contentRect(new Float32Array(1200), view, [0, 1])).toEqual(all);
});

test("the enlarged square stays inside the slice and holds the whole lesion", () => {
  const view = axialView({ ...grid, size: [40, 30, 1] });
  const square = (part: number[], mm: number) => squareAround(Int32Array.from(part), view, mm);
  expect(square([40 * 15 + 20], 10)).toEqual({ left: 16, top: 11, right: 26, bottom: 21 });
  expect(square([0], 10)).toEqual({ left: 0, top: 0, right: 10, bottom: 10 });
  expect(square([40 * 15, 40 * 15 + 39], 10)).toEqual({ left: 0, top: 0, right: 40, bottom: 30 });
});

/** A bright ellipsoid head of 40×30×8 voxels, 3×4×5 mm, with a brighter spot at visit 2. */
function patient(): { visit1: Volume; visit2: Volume; truth: Mask } {
  const size: Size3 = [40, 30, 8];
  const affine = [-3, 0, 0, 60, 0, -4, 0, 60, 0, 0, 5, 0, 0, 0, 0, 1];
  const head = new Float32Array(9600);
  for (let i = 0; i < head.length; i++) {
    const [x, y] = [(i % 40) - 19.5, (Math.floor(i / 40) % 30) - 14.5];
    if ((x / 18) ** 2 + (y / 13) ** 2 < 1) head[i] = 100 + ((i * 7919) % 10);
  }
  const truth = new Uint8Array(9600);
  for (let y = 10; y < 14; y++) truth.fill(1, 5 * 1200 + y * 40 + 24, 5 * 1200 + y * 40 + 28);
  const visit2 = head.map((value, i) => (truth[i] ? 200 : value));
  const volume = (data: Float32Array) => ({ size, affine, data });
  return { visit1: volume(head), visit2: volume(visit2), truth: { size, affine, data: truth } };
}

// Left edges of the four panels, from the layout: margin 20, panels 340 wide, 10 apart.
const panel = (i: number) => [20 + 350 * i, 360 + 350 * i] as const;
const [GREEN, ORANGE] = ["#34d17b", "#ff8a3d"];

test("the picture has each outline in its panel only, voxels in proportion, and text", async () => {
  const path = join(folder, "patient.png");
  const { visit1, visit2, truth } = patient();
  const prediction = { ...truth, data: truth.data.map((_, i) => truth.data[i - 2] ?? 0) };
  drawPatient({ visit1, visit2, truth, prediction, title: "patient 1", path });
  const { width, height, count } = await readPng(path);
  expect(width).toBe(4 * 340 + 3 * 10 + 40);
  // The head is 36×26 voxels of 3×4 mm; a margin of 6 mm in whole voxels makes it 40×30.
  // The enlarged square is 44 mm, that is 15 × 11 voxels.
  expect(height).toBe(96 + Math.round((340 * 120) / 120) + 10 + Math.round((340 * 44) / 45) + 44);
  for (let i = 0; i < 4; i++) {
    const [left, right] = panel(i);
    const found = [GREEN, ORANGE].map(
      (colour) => count(colour!, left, right, 96, height - 44) > 50,
    );
    expect(found, `panel ${i}`).toEqual([i === 2, i === 3]);
  }
  expect(count("#f2f4f7", 20, 200, 15, 40), "title").toBeGreaterThan(100);
  expect(count(GREEN!, 0, width, height - 40), "legend").toBeGreaterThan(50);
});

test("the picture without truth, or without any lesion, has fewer panels", async () => {
  const path = join(folder, "none.png");
  const { visit1, visit2, truth } = patient();
  const empty = { ...truth, data: new Uint8Array(9600) };
  drawPatient({ visit1, visit2, prediction: empty, title: "", path });
  const { width, height } = await readPng(path);
  expect([width, height]).toEqual([3 * 340 + 2 * 10 + 40, 96 + Math.round((340 * 120) / 120) + 44]);
  const wrong = { ...truth, size: [40, 30, 7] as const };
  const draw = () => drawPatient({ visit1, visit2, truth: wrong, title: "", path });
  expect(draw).toThrow(/40×30×7 and 40×30×8/);
});

test("curves are drawn from many reports, gaps among them, from one, and from none", async () => {
  const metrics: Metrics[] = Array.from({ length: 200 }, (_, i) => ({
    iteration: 10 * (i + 1),
    seconds: 3 * i,
    loss: i === 50 ? Number.NaN : 1 / (1 + i / 50),
    learningRate: i < 100 ? 1e-3 : 1e-4,
    positiveFraction: 0.5,
    ...(i % 20 === 19 ? { diceStudent: i / 400, diceMomentum: i / 300 } : {}),
  }));
  const inked: number[][] = [];
  for (const lines of [metrics, metrics.slice(0, 1), []]) {
    const path = join(folder, "curves.png");
    drawCurves(lines, path, "a run");
    const { width, height, count } = await readPng(path);
    expect(count("#1f2937", 0, width / 2, 0, 100), "title").toBeGreaterThan(200);
    const quarter = (i: number) =>
      [
        (i % 2) * (width / 2),
        (1 + (i % 2)) * (width / 2),
        i < 2 ? 300 : height / 2,
        i < 2 ? height / 2 : height,
      ] as const;
    const colours = ["#2f6fde", "#e0662b", "#1a9a6c", "#7a52c7"];
    inked.push(colours.map((colour, i) => count(colour, ...quarter(i))));
  }
  const mined = metrics.map((line, i) => ({
    ...line,
    selectedAgreement: i / 250,
    gradientLesion: 2,
  }));
  const path = join(folder, "mined.png");
  drawCurves(mined, path, "a mined run");
  const { width, height, count } = await readPng(path);
  for (const [colour, column] of [["#1a9a6c", 0] as const, ["#2f6fde", 1] as const]) {
    const left = (column * width) / 2;
    expect(count(colour, left, left + width / 2, (2 * height) / 3)).toBeGreaterThan(1000);
  }
  const [many, one, none] = inked;
  for (const pixels of many!) expect(pixels).toBeGreaterThan(1000);
  expect(one!.map((pixels) => pixels > 20)).toEqual([true, false, true, true]);
  expect(none).toEqual([0, 0, 0, 0]);
});
