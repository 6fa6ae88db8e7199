import { type Canvas, createCanvas } from "@napi-rs/canvas";
import { applyAffine, determinant } from "../data/affine";
import type { Grid, Mask, Volume } from "../data/volume";
import { connectedComponents } from "../eval/components";
import { overlap } from "../eval/dice";
import { writeAtomically } from "../platform/atomic_file";
import { loadFont } from "./font";
import { COLOURS, drawPanel, FONT, greyImage, type Panel, write } from "./panel";
import { newSheet } from "./sheet";
import {
  axialView,
  contentRect,
  fullestSlice,
  greyWindow,
  type Rect,
  type SliceView,
  slicePixels,
  squareAround,
} from "./slice";

/** The contents of a picture. Volumes and masks lie on one grid. */
export interface PatientPicture {
  readonly visit1: Volume;
  readonly visit2: Volume;
  readonly truth?: Mask;
  readonly prediction?: Mask;
  readonly title: string;
  /** PNG file to write. */
  readonly path: string;
}

const PANEL = 340;
const GAP = 10;
const MARGIN = 20;
const HEADER = 96;
const FOOTER = 44;
/** Edge of the enlarged square, mm. */
const ZOOM_MM = 44;

/**
 * Draws the axial slice with most lesion (of the truth, else of the prediction, else the middle
 * slice): both visits, the truth and the prediction outlined on the second, and below the same
 * panels enlarged around the slice's largest lesion. Radiological view; every visit has its own
 * grey window.
 */
export function drawPatient(picture: PatientPicture): void {
  loadFont();
  const { visit1, visit2, truth, prediction } = picture;
  for (const { size } of [visit1, truth, prediction].filter((grid) => grid !== undefined)) {
    if (size.join() !== visit2.size.join()) {
      throw new RangeError(`drawPatient: ${size.join("×")} and ${visit2.size.join("×")} voxels`);
    }
  }
  const view = axialView(visit2);
  const slice =
    (truth && fullestSlice(truth.data, view)) ??
    (prediction && fullestSlice(prediction.data, view)) ??
    Math.floor(view.slices / 2);
  const pixels1 = slicePixels(visit1.data, view, slice);
  const pixels2 = slicePixels(visit2.data, view, slice);
  const truthPixels = truth && slicePixels(truth.data, view, slice);
  const predictionPixels = prediction && slicePixels(prediction.data, view, slice);
  const image1 = greyImage(newSheet, pixels1, view);
  const image2 = greyImage(newSheet, pixels2, view);
  const panels: Panel[] = [
    { label: "visit 1", image: image1 },
    { label: "visit 2", image: image2 },
  ];
  if (truthPixels) {
    const outline = { pixels: truthPixels, colour: COLOURS.truth };
    panels.push({ label: "visit 2, truth", image: image2, outline });
  }
  if (predictionPixels) {
    const outline = { pixels: predictionPixels, colour: COLOURS.prediction };
    const fill = truthPixels && {
      pixels: both(truthPixels, predictionPixels),
      colour: COLOURS.both,
    };
    panels.push({ label: "visit 2, prediction", image: image2, outline, fill });
  }
  const whole = contentRect(pixels2, view, greyWindow(pixels2));
  const zoom = zoomRect(truthPixels, predictionPixels, view);
  const canvas = drawPanels(panels, view, whole, zoom);
  drawText(canvas, picture, view, slice);
  writeAtomically(picture.path, canvas.toBuffer("image/png"));
}

const both = (a: Uint8Array, b: Uint8Array) => a.map((value, i) => (value && b[i] ? 1 : 0));

/** Around the largest lesion of the slice, of the truth if it has one there. */
export function zoomRect(
  truth: Uint8Array | undefined,
  prediction: Uint8Array | undefined,
  view: SliceView,
): Rect | undefined {
  for (const pixels of [truth, prediction]) {
    if (!pixels?.some((value) => value !== 0)) continue;
    const { count, voxels } = connectedComponents(pixels, [view.width, view.height, 1], 26);
    const parts = Array.from({ length: count }, (_, i) => voxels(i + 1));
    const largest = parts.reduce((a, b) => (b.length > a.length ? b : a));
    return squareAround(largest, view, ZOOM_MM);
  }
  return undefined;
}

function drawPanels(panels: Panel[], view: SliceView, whole: Rect, zoom: Rect | undefined): Canvas {
  const heightOf = ({ left, top, right, bottom }: Rect) =>
    Math.round((PANEL * (bottom - top) * view.pixelMm[1]) / ((right - left) * view.pixelMm[0]));
  const zoomTop = HEADER + heightOf(whole) + GAP;
  const bottom = zoom ? zoomTop + heightOf(zoom) : zoomTop - GAP;
  const width = 2 * MARGIN + panels.length * PANEL + (panels.length - 1) * GAP;
  const canvas = createCanvas(width, bottom + FOOTER);
  const context = canvas.getContext("2d");
  context.fillStyle = COLOURS.background;
  context.fillRect(0, 0, canvas.width, canvas.height);
  panels.forEach((panel, i) => {
    const left = MARGIN + i * (PANEL + GAP);
    write(context, panel.label, left, HEADER - 10, `600 15px ${FONT}`, COLOURS.text);
    const box = (top: number, part: Rect) => ({ left, top, width: PANEL, height: heightOf(part) });
    drawPanel(context, panel, whole, box(HEADER, whole), zoom);
    if (zoom) drawPanel(context, panel, zoom, box(zoomTop, zoom));
    const middle = HEADER + heightOf(whole) / 2;
    write(context, "R", left + 6, middle, `600 14px ${FONT}`, COLOURS.quiet);
    write(context, "L", left + PANEL - 15, middle, `600 14px ${FONT}`, COLOURS.quiet);
  });
  return canvas;
}

function drawText(canvas: Canvas, picture: PatientPicture, view: SliceView, slice: number): void {
  const { title, truth, prediction, visit2 } = picture;
  const context = canvas.getContext("2d");
  write(context, title, MARGIN, 34, `600 20px ${FONT}`, COLOURS.text);
  const facts = [
    `axial slice ${slice + 1} of ${view.slices} (${sliceHeight(visit2, view, slice)})`,
  ];
  if (truth) facts.push(`truth ${millilitres(truth)}`);
  if (prediction) facts.push(`prediction ${millilitres(prediction)}`);
  if (truth && prediction) {
    facts.push(`Dice ${overlap(truth.data, prediction.data).dice.toFixed(3)} (all slices)`);
  }
  write(context, facts.join("   ·   "), MARGIN, 58, `400 14px ${FONT}`, COLOURS.quiet);
  const entries: [string, string][] = [];
  if (truth) entries.push(["truth", COLOURS.truth]);
  if (prediction) entries.push(["prediction", COLOURS.prediction]);
  if (truth && prediction) entries.push(["in both", COLOURS.both]);
  const y = canvas.height - 17;
  let x = MARGIN;
  for (const [label, colour] of entries) {
    context.fillStyle = colour;
    context.fillRect(x, y - 10, 12, 12);
    x += 18;
    x += write(context, label, x, y, `400 13px ${FONT}`, COLOURS.text) + 20;
  }
  const view2 = "radiological view: the patient’s right (R) is on the left, front is up";
  write(context, view2, x, y, `400 13px ${FONT}`, COLOURS.quiet);
}

/** Height of the slice's middle in world space. */
function sliceHeight(grid: Grid, { sliceAxis }: SliceView, slice: number): string {
  const middle = grid.size.map((n, axis) => (axis === sliceAxis ? slice : (n - 1) / 2));
  const z = applyAffine(grid.affine, [middle[0]!, middle[1]!, middle[2]!])[2];
  return `z = ${z < 0 ? "−" : "+"}${Math.abs(z).toFixed(1)} mm`;
}

function millilitres({ data, affine }: Mask): string {
  let voxels = 0;
  for (const value of data) voxels += value;
  return `${((voxels * Math.abs(determinant(affine))) / 1000).toFixed(2)} ml`;
}
