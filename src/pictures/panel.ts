/** Panels of slices, drawn on any canvas: Skia's in a program, the browser's in a page. */
import { greyWindow, type Rect, type SliceView } from "./slice";

/** As much of a canvas's 2-D context as panels are drawn with. */
export interface Context {
  fillStyle: string | object;
  strokeStyle: string | object;
  font: string;
  lineWidth: number;
  lineCap: "butt" | "round" | "square";
  globalAlpha: number;
  imageSmoothingQuality: "low" | "medium" | "high";
  save(): void;
  restore(): void;
  beginPath(): void;
  clip(): void;
  fill(): void;
  stroke(): void;
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  rect(x: number, y: number, width: number, height: number): void;
  fillRect(x: number, y: number, width: number, height: number): void;
  strokeRect(x: number, y: number, width: number, height: number): void;
  translate(x: number, y: number): void;
  drawImage(image: object, ...box: [...from: Four, ...to: Four]): void;
  createImageData(width: number, height: number): { readonly data: Uint8ClampedArray };
  putImageData(image: object, x: number, y: number): void;
  fillText(text: string, x: number, y: number): void;
  measureText(text: string): { readonly width: number };
}

type Four = [x: number, y: number, width: number, height: number];

/** A canvas and its context. */
export interface Sheet {
  readonly width: number;
  readonly canvas: object;
  readonly context: Context;
}

export type NewSheet = (width: number, height: number) => Sheet;

/** Family of all text in pictures. */
export const FONT = "Inter";

export const COLOURS = {
  background: "#14161a",
  text: "#f2f4f7",
  quiet: "#9aa3af",
  truth: "#34d17b",
  prediction: "#ff8a3d",
  both: "#ffe45c",
} as const;

export interface Panel {
  readonly label: string;
  readonly image: Sheet;
  readonly outline?: { readonly pixels: Uint8Array; readonly colour: string };
  readonly fill?: { readonly pixels: Uint8Array; readonly colour: string };
}

/** The place of a panel, in pixels of the canvas. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A slice in grey. */
export function greyImage(
  newSheet: NewSheet,
  pixels: Float32Array,
  view: SliceView,
  [black, white] = greyWindow(pixels),
): Sheet {
  const sheet = newSheet(view.width, view.height);
  const { context } = sheet;
  const image = context.createImageData(view.width, view.height);
  const { data } = image; // a native getter, too slow to ask per pixel
  pixels.forEach((value, i) => {
    const grey = Number.isFinite(value) ? (255 * (value - black)) / (white - black) : 0;
    // The array clamps to 0…255.
    data.fill(grey, 4 * i, 4 * i + 3);
    data[4 * i + 3] = 255;
  });
  context.putImageData(image, 0, 0);
  return sheet;
}

/** Draws the part `from` of a panel's slice into a box of the canvas, `frame` marked on it. */
export function drawPanel(
  context: Context,
  { image, outline, fill }: Panel,
  from: Rect,
  { left, top, width, height }: Box,
  frame?: Rect,
): void {
  const [columns, rows] = [from.right - from.left, from.bottom - from.top];
  const [sx, sy] = [width / columns, height / rows];
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.imageSmoothingQuality = "high";
  context.drawImage(image.canvas, from.left, from.top, columns, rows, left, top, width, height);
  context.translate(left - sx * from.left, top - sy * from.top);
  if (fill) {
    context.fillStyle = fill.colour;
    context.globalAlpha = 0.4;
    areaPath(context, fill.pixels, image.width, sx, sy);
    context.fill();
    context.globalAlpha = 1;
  }
  if (outline) {
    context.strokeStyle = outline.colour;
    context.lineWidth = frame ? 1.5 : 2.5;
    context.lineCap = "round";
    edgePath(context, outline.pixels, image.width, sx, sy);
    context.stroke();
  }
  if (frame) {
    context.strokeStyle = COLOURS.text;
    context.globalAlpha = 0.6;
    context.lineWidth = 1;
    const { left: x, top: y, right, bottom } = frame;
    context.strokeRect(sx * x, sy * y, sx * (right - x), sy * (bottom - y));
  }
  context.restore();
}

/** The set pixels as areas, each pixel sx × sy large. */
function areaPath(path: Context, pixels: Uint8Array, width: number, sx: number, sy: number): void {
  path.beginPath();
  pixels.forEach((value, i) => {
    if (value) path.rect(sx * (i % width), sy * Math.floor(i / width), sx, sy);
  });
}

/** The edges between set pixels and others: an outline that is true to the voxels. */
function edgePath(path: Context, pixels: Uint8Array, width: number, sx: number, sy: number): void {
  path.beginPath();
  const height = pixels.length / width;
  const set = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && pixels[y * width + x] !== 0;
  const line = (x0: number, y0: number, x1: number, y1: number) => {
    path.moveTo(sx * x0, sy * y0);
    path.lineTo(sx * x1, sy * y1);
  };
  pixels.forEach((value, i) => {
    if (!value) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    if (!set(x, y - 1)) line(x, y, x + 1, y);
    if (!set(x, y + 1)) line(x, y + 1, x + 1, y + 1);
    if (!set(x - 1, y)) line(x, y, x, y + 1);
    if (!set(x + 1, y)) line(x + 1, y, x + 1, y + 1);
  });
}

export function write(
  context: Context,
  text: string,
  x: number,
  y: number,
  font: string,
  colour: string,
): number {
  context.font = font;
  context.fillStyle = colour;
  context.fillText(text, x, y);
  return context.measureText(text).width;
}
