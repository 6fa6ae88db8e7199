/** One lesion in three planes at both visits, enlarged, on any canvas. */
import type { Mask, Volume } from "../data/volume";
import { COLOURS, drawPanel, FONT, greyImage, type Sheet, write } from "./panel";
import {
  fullestSlice,
  greyWindow,
  type PlaneName,
  type SliceView,
  slicePixels,
  sliceView,
  squareAround,
} from "./slice";

const PLANES: readonly PlaneName[] = ["axial", "coronal", "sagittal"];
/** Edge of a panel, pixels, and of what it shows, mm. */
const PANEL = 210;
const SHOWN_MM = 50;
const GAP = 4;
/** Between two planes. */
const WIDE_GAP = 14;
const HEADER = 24;

/**
 * Six panels: axial, coronal and sagittal, each at visit 1 and visit 2, the lesion outlined on
 * both. The slices are those with most of the lesion.
 * @param lesion its voxels alone, on the visits' grid
 * @param names of the two visits
 */
export function drawLesion<S extends Sheet>(
  newSheet: (width: number, height: number) => S,
  visit1: Volume,
  visit2: Volume,
  lesion: Mask,
  names: readonly [string, string] = ["visit 1", "visit 2"],
): S {
  const width = 6 * PANEL + 3 * GAP + 2 * WIDE_GAP;
  const sheet = newSheet(width, HEADER + PANEL);
  const { context } = sheet;
  context.fillStyle = COLOURS.background;
  context.fillRect(0, 0, width, HEADER + PANEL);
  const windows = [visit1, visit2].map((visit) => windowAt(visit, lesion));
  PLANES.forEach((plane, i) => {
    const view = sliceView(visit2, plane);
    const slice = fullestSlice(lesion.data, view) ?? 0;
    const pixels = slicePixels(lesion.data, view, slice);
    const from = squareAround(placesOf(pixels), view, SHOWN_MM);
    [visit1, visit2].forEach((visit, k) => {
      const left = i * (2 * PANEL + GAP + WIDE_GAP) + k * (PANEL + GAP);
      const image = greyImage(newSheet, slicePixels(visit.data, view, slice), view, windows[k]);
      const outline = { pixels, colour: COLOURS.prediction };
      const box = { left, top: HEADER, ...boxSize(from, view) };
      drawPanel(context, { label: "", image, outline }, from, box);
      const label = `${plane}, ${names[k]}`;
      write(context, label, left + 2, HEADER - 8, `600 14px ${FONT}`, COLOURS.text);
      const [first] = plane === "sagittal" ? "A" : "R";
      write(context, first!, left + 5, HEADER + PANEL / 2, `600 13px ${FONT}`, COLOURS.quiet);
    });
  });
  return sheet;
}

const placesOf = (pixels: Uint8Array): Int32Array =>
  Int32Array.from(pixels.keys()).filter((i) => pixels[i] !== 0);

/** A panel is square in mm where the slice is large enough, and never larger than its place. */
function boxSize(
  from: { left: number; top: number; right: number; bottom: number },
  view: SliceView,
) {
  const mm = [
    (from.right - from.left) * view.pixelMm[0],
    (from.bottom - from.top) * view.pixelMm[1],
  ] as const;
  const scale = PANEL / Math.max(...mm);
  return { width: mm[0] * scale, height: mm[1] * scale };
}

/** The grey window of the lesion's axial slice, for all planes alike. */
function windowAt(visit: Volume, lesion: Mask): readonly [number, number] {
  const view = sliceView(visit, "axial");
  return greyWindow(slicePixels(visit.data, view, fullestSlice(lesion.data, view) ?? 0));
}
