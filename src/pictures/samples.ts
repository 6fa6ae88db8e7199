import { createCanvas, type SKRSContext2D } from "@napi-rs/canvas";
import type { Mask, Volume } from "../data/volume";
import { writeAtomically } from "../platform/atomic_file";
import { FONT, loadFont } from "./font";
import { COLOURS, drawPanel, greyImage, type Panel, write, zoomRect } from "./patient";
import { axialView, contentRect, fullestSlice, greyWindow, type Rect, slicePixels } from "./slice";

/** A pair of visits with lesions that are new at the second. */
export interface Sample {
  readonly title: string;
  readonly visit1: Volume;
  readonly visit2: Volume;
  readonly truth: Mask;
}

const TILE = 190;
const GAP = 6;
const MARGIN = 18;
const TITLE = 26;
const COLUMNS = 2;
const LABELS = ["visit 2", "visit 1", "visit 2", "new lesions"];
const ROW = TITLE + TILE + GAP;
const SAMPLE = LABELS.length * (TILE + GAP) + MARGIN;

/**
 * Many pairs on one picture: of each the axial slice with most new lesion, whole, and the largest
 * new lesion enlarged at both visits, then outlined. Pairs without a new lesion are left out.
 * @param path PNG file to write
 */
export function drawSamples(samples: readonly Sample[], path: string): void {
  loadFont();
  const shown = samples.filter(({ truth }) => truth.data.includes(1));
  const rows = Math.ceil(shown.length / COLUMNS);
  const canvas = createCanvas(MARGIN + COLUMNS * SAMPLE, 2 * MARGIN + rows * ROW);
  const context = canvas.getContext("2d");
  context.fillStyle = COLOURS.background;
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const [i, sample] of shown.entries()) {
    const left = MARGIN + (i % COLUMNS) * SAMPLE;
    drawSample(context, sample, left, MARGIN + Math.floor(i / COLUMNS) * ROW);
  }
  writeAtomically(path, canvas.toBuffer("image/png"));
}

function drawSample(context: SKRSContext2D, sample: Sample, left: number, top: number): void {
  const { title, visit1, visit2, truth } = sample;
  const view = axialView(visit2);
  const slice = fullestSlice(truth.data, view) ?? 0;
  const [first, second] = [visit1, visit2].map((v) => slicePixels(v.data, view, slice));
  const pixels = slicePixels(truth.data, view, slice);
  const zoom = zoomRect(pixels, undefined, view)!;
  const whole = square(contentRect(second!, view, greyWindow(second!)));
  const [image1, image2] = [greyImage(first!, view), greyImage(second!, view)];
  const outline = { pixels, colour: COLOURS.truth };
  const panels: Panel[] = [
    { label: LABELS[0]!, image: image2 },
    { label: LABELS[1]!, image: image1 },
    { label: LABELS[2]!, image: image2 },
    { label: LABELS[3]!, image: image2, outline },
  ];
  for (const [i, panel] of panels.entries()) {
    const box = { left: left + i * (TILE + GAP), top: top + TITLE, width: TILE, height: TILE };
    const label = i === 0 ? `${title}: ${panel.label}` : panel.label;
    write(context, label, box.left, top + TITLE - 7, `600 13px ${FONT}`, COLOURS.text);
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
