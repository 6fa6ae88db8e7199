import { createCanvas, type SKRSContext2D } from "@napi-rs/canvas";
import type { Mask, Volume } from "../data/volume";
import { writeAtomically } from "../platform/atomic_file";
import { loadFont } from "./font";
import { COLOURS, drawPanel, FONT, greyImage, type Panel, write } from "./panel";
import { zoomRect } from "./patient";
import { newSheet } from "./sheet";
import { axialView, contentRect, fullestSlice, greyWindow, type Rect, slicePixels } from "./slice";

/** A pair of visits, with lesions that are new at the second or without. */
export interface Sample {
  readonly title: string;
  readonly visit1: Volume;
  readonly visit2: Volume;
  readonly truth: Mask;
}

const TILE = 104;
const GAP = 3;
const MARGIN = 10;
const TITLE = 15;
const COLUMNS = 4;
/** Whole slice of visit 2, then both visits enlarged. */
const PANELS = 3;
const ROW = TITLE + TILE + GAP;
const SAMPLE = PANELS * (TILE + GAP) + MARGIN;
/** Steps of grey in the file: noise in 256 of them would make it several times as large. */
const GREY_STEP = 12;

/**
 * Many pairs on one picture: of each the axial slice of visit 2 with most new lesion, and enlarged there
 * the largest new lesion at visit 1 and, outlined, at visit 2. Of a pair without one: the middle.
 * @param path PNG file to write
 */
export function drawSamples(samples: readonly Sample[], path: string): void {
  loadFont();
  const rows = Math.ceil(samples.length / COLUMNS);
  const canvas = createCanvas(MARGIN + COLUMNS * SAMPLE, 2 * MARGIN + rows * ROW);
  const context = canvas.getContext("2d");
  context.fillStyle = COLOURS.background;
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const [i, sample] of samples.entries()) {
    const left = MARGIN + (i % COLUMNS) * SAMPLE;
    drawSample(context, sample, left, MARGIN + Math.floor(i / COLUMNS) * ROW);
  }
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < pixels.data.length; i++) {
    if (i % 4 !== 3) pixels.data[i] = Math.round(pixels.data[i]! / GREY_STEP) * GREY_STEP;
  }
  context.putImageData(pixels, 0, 0);
  writeAtomically(path, canvas.toBuffer("image/png"));
}

function drawSample(context: SKRSContext2D, sample: Sample, left: number, top: number): void {
  const { title, visit1, visit2, truth } = sample;
  const view = axialView(visit2);
  const slice = fullestSlice(truth.data, view) ?? Math.floor(0.55 * view.slices);
  const [first, second] = [visit1, visit2].map((v) => slicePixels(v.data, view, slice));
  const pixels = slicePixels(truth.data, view, slice);
  const content = contentRect(second!, view, greyWindow(second!));
  const zoom = zoomRect(pixels, undefined, view) ?? middleOf(content);
  const whole = square(content);
  const [image1, image2] = [greyImage(newSheet, first!, view), greyImage(newSheet, second!, view)];
  const outline = { pixels, colour: COLOURS.truth };
  const panels: Panel[] = [
    { label: "", image: image2 },
    { label: "", image: image1 },
    { label: "", image: image2, outline },
  ];
  write(context, title, left, top + TITLE - 4, `600 10px ${FONT}`, COLOURS.text);
  for (const [i, panel] of panels.entries()) {
    const box = { left: left + i * (TILE + GAP), top: top + TITLE, width: TILE, height: TILE };
    drawPanel(context, panel, i === 0 ? whole : zoom, box, i === 0 ? zoom : undefined);
  }

  /** As high as it is wide, in mm, around the same middle. */
  function square({ left: l, right, top: t, bottom }: Rect): Rect {
    const [mmX, mmY] = view.pixelMm;
    const edge = Math.max((right - l) * mmX, (bottom - t) * mmY);
    const [x, y] = [(l + right) / 2, (t + bottom) / 2];
    const [dx, dy] = [edge / mmX / 2, edge / mmY / 2];
    return { left: x - dx, right: x + dx, top: y - dy, bottom: y + dy };
  }
}

function middleOf({ left, right, top, bottom }: Rect): Rect {
  const part = (low: number, high: number, share: number) => low + share * (high - low);
  return {
    left: part(left, right, 0.32),
    right: part(left, right, 0.68),
    top: part(top, bottom, 0.32),
    bottom: part(top, bottom, 0.68),
  };
}
