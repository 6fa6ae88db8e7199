import { orientationCode } from "../data/affine";
import { type Grid, voxelSize } from "../data/volume";

/** A rectangle of pixels, right and bottom exclusive. */
export interface Rect {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export type PlaneName = "axial" | "coronal" | "sagittal";

/**
 * How the slices of a grid are seen in the radiological way: axial and coronal with the patient's right
 * on the left, sagittal with the nose on the left; anterior or superior up. An oblique grid is seen along
 * the voxel axes nearest to the anatomical ones.
 */
export interface SliceView {
  readonly width: number;
  readonly height: number;
  readonly slices: number;
  /** Size of a pixel in mm. */
  readonly pixelMm: readonly [width: number, height: number];
  /** Axis of the grid (0, 1, 2) that counts the slices. */
  readonly sliceAxis: number;
  /** Index in the volume's data of the pixel (x, y) of a slice. */
  voxel(x: number, y: number, slice: number): number;
}

/** Of each plane the anatomical axes across, down and through; the first letter is where a row starts. */
const AXES: Readonly<Record<PlaneName, readonly [across: string, down: string, through: string]>> =
  {
    axial: ["RL", "AP", "SI"],
    coronal: ["RL", "SI", "AP"],
    sagittal: ["AP", "SI", "RL"],
  };

export function sliceView({ size, affine }: Grid, plane: PlaneName): SliceView {
  const code = orientationCode(affine);
  const strides = [1, size[0], size[0] * size[1]];
  const axes = AXES[plane];
  const axis = (letters: string) => [...code].findIndex((letter) => letters.includes(letter));
  const [across, down, through] = axes.map(axis) as [number, number, number];
  const edges = voxelSize(affine);
  const [width, height] = [size[across]!, size[down]!];
  // A letter of the code says where an axis points: a row that starts there runs against it.
  const flipX = code[across] === axes[0][0];
  const flipY = code[down] === axes[1][0];
  return {
    width,
    height,
    slices: size[through]!,
    pixelMm: [edges[across]!, edges[down]!],
    sliceAxis: through,
    voxel: (x, y, slice) =>
      strides[across]! * (flipX ? width - 1 - x : x) +
      strides[down]! * (flipY ? height - 1 - y : y) +
      strides[through]! * slice,
  };
}

export const axialView = (grid: Grid): SliceView => sliceView(grid, "axial");

/** The pixels of one slice, row by row from the top left. */
export function slicePixels<T extends Float32Array | Uint8Array>(
  data: T,
  view: SliceView,
  slice: number,
): T {
  const pixels = data.slice(0, view.width * view.height) as T;
  for (let y = 0; y < view.height; y++) {
    for (let x = 0; x < view.width; x++) {
      pixels[y * view.width + x] = data[view.voxel(x, y, slice)]!;
    }
  }
  return pixels;
}

/** The slice with most mask voxels, the lowest of equals; undefined if the mask is empty. */
export function fullestSlice(mask: Uint8Array, view: SliceView): number | undefined {
  const counts = new Int32Array(view.slices);
  const stride = view.voxel(0, 0, 1) - view.voxel(0, 0, 0);
  for (let i = mask.indexOf(1); i >= 0; i = mask.indexOf(1, i + 1)) {
    counts[Math.floor(i / stride) % view.slices]!++;
  }
  const most = Math.max(...counts);
  return most === 0 ? undefined : counts.indexOf(most);
}

/**
 * Grey values shown as black and as white: the 1 % and 99.9 % percentiles. A lesion fills up to
 * half a percent of its slice, so that a lower limit would show it as plain white.
 */
export function greyWindow(pixels: Float32Array): readonly [black: number, white: number] {
  const sorted = pixels.filter(Number.isFinite).sort();
  if (sorted.length === 0) return [0, 1];
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  const [black, white] = [at(0.01), at(0.999)];
  return white > black ? [black, white] : [black, black + 1];
}

/** Every so many values, for percentiles of a volume. */
export function everyNth(values: Float32Array, n: number): Float32Array {
  const some = new Float32Array(Math.ceil(values.length / n));
  for (let i = 0, at = 0; i < some.length; i++, at += n) some[i] = values[at]!;
  return some;
}

/** The part of a slice that is worth showing: what is not background, and `marginMm` around. */
export function contentRect(
  pixels: Float32Array,
  view: SliceView,
  [black, white]: readonly [number, number],
  marginMm = 6,
): Rect {
  const threshold = black + 0.12 * (white - black);
  const rows = new Float64Array(view.height);
  const columns = new Float64Array(view.width);
  pixels.forEach((value, i) => {
    if (!(value > threshold)) return;
    rows[Math.floor(i / view.width)]! += 1 / view.width;
    columns[i % view.width]! += 1 / view.height;
  });
  // A row of noise has single bright pixels; one that cuts the head has many.
  const first = (share: Float64Array) => share.findIndex((value) => value > 0.04);
  const last = (share: Float64Array) => share.findLastIndex((value) => value > 0.04);
  if (first(rows) < 0 || first(columns) < 0) {
    return { left: 0, top: 0, right: view.width, bottom: view.height };
  }
  const marginX = Math.round(marginMm / view.pixelMm[0]);
  const marginY = Math.round(marginMm / view.pixelMm[1]);
  return {
    left: Math.max(0, first(columns) - marginX),
    top: Math.max(0, first(rows) - marginY),
    right: Math.min(view.width, last(columns) + 1 + marginX),
    bottom: Math.min(view.height, last(rows) + 1 + marginY),
  };
}

/**
 * A square of about `sizeMm` around the middle of the set pixels of `part`, pushed inside the
 * slice, and larger where these pixels span more.
 */
export function squareAround(part: Int32Array, view: SliceView, sizeMm: number): Rect {
  const xs = [...part].map((i) => i % view.width);
  const ys = [...part].map((i) => Math.floor(i / view.width));
  const range = (values: number[], length: number, pixelMm: number, spanMm: number) => {
    const pixels = Math.min(length, Math.round(spanMm / pixelMm));
    const middle = (Math.min(...values) + Math.max(...values) + 1) / 2;
    const start = Math.round(Math.min(Math.max(0, middle - pixels / 2), length - pixels));
    return [start, start + pixels] as const;
  };
  const extent = (values: number[], mm: number) =>
    (Math.max(...values) - Math.min(...values) + 1) * mm;
  const [mmX, mmY] = view.pixelMm;
  const span = Math.max(sizeMm, 1.5 * extent(xs, mmX), 1.5 * extent(ys, mmY));
  const [left, right] = range(xs, view.width, mmX, span);
  const [top, bottom] = range(ys, view.height, mmY, span);
  return { left, top, right, bottom };
}
