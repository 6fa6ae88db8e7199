/** A picture of two registered visits: one in the other's squares, and the edges of one on the other. */
import { type Canvas, createCanvas, type SKRSContext2D } from "@napi-rs/canvas";
import { type Volume, voxelSize } from "../data/volume";
import { writeAtomically } from "../platform/atomic_file";
import { loadFont } from "./font";
import { COLOURS, FONT, write } from "./panel";
import { everyNth, greyWindow } from "./slice";

export interface RegistrationPicture {
  /** Visits on one grid with axes right, anterior, superior. */
  readonly visit1: Volume;
  readonly visit2: Volume;
  readonly title: string;
  /** A line below the title. */
  readonly facts: string;
  /** PNG file to write. */
  readonly path: string;
}

const PANEL = 380;
const GAP = 10;
const MARGIN = 20;
const HEADER = 84;
/** Edge of a square of the checkerboard, mm. */
const SQUARE_MM = 22;
/** Share of the pixels that are edges. */
const EDGES = 0.1;

/** The planes, by the axes that lie across and down the screen; the patient's right is on the left. */
export const PLANES = [
  { name: "axial", across: 0, down: 1, through: 2, mirrored: true },
  { name: "coronal", across: 0, down: 2, through: 1, mirrored: true },
  // Anterior on the left.
  { name: "sagittal", across: 1, down: 2, through: 0, mirrored: true },
] as const;
export type Plane = (typeof PLANES)[number];

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Grey values 0 to 1, row by row from the top left; a pixel is 1 mm. */
  readonly grey: Float32Array;
}

/** A plane through a point of the volume (voxels), sampled every millimetre. */
export function planeOf(
  { size, affine, data }: Volume,
  plane: Plane,
  at: readonly number[],
): Picture {
  const edges = voxelSize(affine);
  const [across, down] = [plane.across, plane.down];
  const width = Math.max(1, Math.round(size[across] * edges[across]));
  const height = Math.max(1, Math.round(size[down] * edges[down]));
  const strides = [1, size[0], size[0] * size[1]];
  const base = Math.round(at[plane.through]!) * strides[plane.through]!;
  const values = new Float32Array(width * height);
  const place = (pixel: number, axis: 0 | 1 | 2, flipped: boolean) => {
    const n = size[axis];
    const c = Math.min(Math.max((pixel + 0.5) / edges[axis] - 0.5, 0), n - 1);
    const low = Math.min(Math.floor(c), Math.max(0, n - 2));
    const index = (i: number) => (flipped ? n - 1 - i : i) * strides[axis]!;
    return [index(low), index(Math.min(low + 1, n - 1)), c - low] as const;
  };
  for (let y = 0; y < height; y++) {
    const [y0, y1, ty] = place(y, down, true);
    for (let x = 0; x < width; x++) {
      const [x0, x1, tx] = place(x, across, plane.mirrored);
      const row = (r: number) =>
        data[base + r + x0]! + tx * (data[base + r + x1]! - data[base + r + x0]!);
      values[y * width + x] = row(y0) + ty * (row(y1) - row(y0));
    }
  }
  const [black, white] = greyWindow(values);
  return {
    width,
    height,
    grey: values.map((v) => Math.min(1, Math.max(0, (v - black) / (white - black)))),
  };
}

/** 1 where the picture changes most. */
function edgesOf({ width, height, grey }: Picture): Uint8Array {
  const size = new Float32Array(grey.length);
  for (let y = 1; y + 1 < height; y++) {
    for (let x = 1; x + 1 < width; x++) {
      const i = y * width + x;
      size[i] = Math.hypot(grey[i + 1]! - grey[i - 1]!, grey[i + width]! - grey[i - width]!);
    }
  }
  const least = size.toSorted()[Math.floor((1 - EDGES) * size.length)]!;
  return Uint8Array.from(size, (v) => (v > least && v > 0.05 ? 1 : 0));
}

/** A picture of colours (red, green, blue from 0 to 1) by pixel. */
function painted(
  { width, height }: Picture,
  colour: (pixel: number) => readonly [number, number, number],
): Canvas {
  const canvas = createCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const { data } = image; // a native getter, too slow to ask per pixel
  for (let i = 0; i < width * height; i++) {
    data.set([...colour(i).map((v) => 255 * v), 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function checkerboard(one: Picture, two: Picture): Canvas {
  return painted(one, (i) => {
    const [x, y] = [i % one.width, Math.floor(i / one.width)];
    const even = (Math.floor(x / SQUARE_MM) + Math.floor(y / SQUARE_MM)) % 2 === 0;
    const v = (even ? one : two).grey[i]!;
    // Squares of visit 2 are a little blue, so that they can be told apart.
    return even ? [v, v, v] : [0.86 * v, 0.95 * v, Math.min(1, 1.08 * v)];
  });
}

/** Edges of one picture on another. */
export function overlaid(one: Picture, two: Picture): Canvas {
  const edges = edgesOf(two);
  return painted(one, (i) => {
    const v = 0.8 * one.grey[i]!;
    return edges[i] ? [0.4 * v + 0.6, 0.4 * v + 0.33, 0.4 * v + 0.14] : [v, v, v];
  });
}

/** Draws three planes through the middle of the head. */
export function drawRegistration(picture: RegistrationPicture): void {
  loadFont();
  const { visit1, visit2, title, facts, path } = picture;
  const at = middleOf(visit1);
  const columns = PLANES.map((plane) => {
    const [one, two] = [planeOf(visit1, plane, at), planeOf(visit2, plane, at)];
    return { plane, images: [checkerboard(one, two), overlaid(one, two)] };
  });
  const heights = columns.map(({ images }) => (PANEL * images[0]!.height) / images[0]!.width);
  const row = Math.ceil(Math.min(1.3 * PANEL, Math.max(...heights)));
  const width = 2 * MARGIN + 3 * PANEL + 2 * GAP;
  const canvas = createCanvas(width, HEADER + 2 * (row + GAP) + MARGIN);
  const context = canvas.getContext("2d");
  context.fillStyle = COLOURS.background;
  context.fillRect(0, 0, canvas.width, canvas.height);
  write(context, title, MARGIN, 30, `600 18px ${FONT}`, COLOURS.text);
  write(context, facts, MARGIN, 54, `14px ${FONT}`, COLOURS.quiet);
  columns.forEach(({ plane, images }, i) => {
    const left = MARGIN + i * (PANEL + GAP);
    const labels = [`${plane.name}: squares of visit 1 and 2`, "edges of visit 2 on visit 1"];
    images.forEach((image, k) => {
      const top = HEADER + k * (row + GAP);
      drawFitted(context, image, left, top, PANEL, row);
      write(context, labels[k]!, left + 6, top + 16, `600 13px ${FONT}`, COLOURS.text);
      const [first, last] = plane.name === "sagittal" ? ["A", "P"] : ["R", "L"];
      write(context, first!, left + 6, top + row / 2, `600 14px ${FONT}`, COLOURS.quiet);
      write(context, last!, left + PANEL - 16, top + row / 2, `600 14px ${FONT}`, COLOURS.quiet);
    });
  });
  writeAtomically(path, canvas.toBuffer("image/png"));
}

/** As large as the box allows, in its middle. */
export function drawFitted(
  context: SKRSContext2D,
  image: Canvas,
  left: number,
  top: number,
  width: number,
  height: number,
): void {
  const scale = Math.min(width / image.width, height / image.height);
  const [w, h] = [scale * image.width, scale * image.height];
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left + (width - w) / 2, top + (height - h) / 2, w, h);
}

/** The middle of what is bright, voxels. */
export function middleOf({ size, data }: Volume): number[] {
  const [black, white] = greyWindow(everyNth(data, 101));
  const sum = [0, 0, 0];
  let count = 0;
  for (let i = 0; i < data.length; i += 37) {
    if (data[i]! < black + 0.25 * (white - black)) continue;
    sum[0]! += i % size[0];
    sum[1]! += Math.floor(i / size[0]) % size[1];
    sum[2]! += Math.floor(i / (size[0] * size[1]));
    count++;
  }
  return sum.map((v, axis) => (count > 0 ? v / count : (size[axis]! - 1) / 2));
}
