/** The part of an image that shows something: files are padded with planes of zeros. */
import { applyAffine } from "./affine";
import type { Grid, Size3, Volume } from "./volume";

/** Whether all voxels of a plane have one value. */
function isFlat({ size, data }: Volume, axis: number, plane: number): boolean {
  const strides = [1, size[0], size[0] * size[1]];
  const [across, down] = [0, 1, 2].filter((other) => other !== axis) as [0 | 1 | 2, 0 | 1 | 2];
  const first = plane * strides[axis]!;
  const value = data[first];
  for (let y = 0; y < size[down]; y++) {
    const row = first + y * strides[down]!;
    for (let x = 0; x < size[across]; x++) {
      if (data[row + x * strides[across]!] !== value) return false;
    }
  }
  return true;
}

/** A box of voxels. */
interface Box {
  readonly first: Size3;
  readonly size: Size3;
}

function shownBox(image: Volume): Box {
  const { size } = image;
  const low: [number, number, number] = [0, 0, 0];
  const high = size.map((n) => n - 1);
  for (const axis of [0, 1, 2] as const) {
    while (low[axis] <= high[axis]! && isFlat(image, axis, low[axis])) low[axis]++;
    while (low[axis] <= high[axis]! && isFlat(image, axis, high[axis]!)) high[axis]!--;
    if (low[axis] > high[axis]!) return { first: [0, 0, 0], size };
  }
  const [nx, ny, nz] = high.map((end, axis) => end - low[axis]! + 1) as [number, number, number];
  return { first: low, size: [nx, ny, nz] };
}

function gridOf({ affine }: Grid, { first, size }: Box): Grid {
  const origin = applyAffine(affine, first);
  return {
    size,
    affine: affine.map((v, i) => (i < 12 && i % 4 === 3 ? origin[(i - 3) / 4]! : v)),
  };
}

/**
 * The grid of an image without its outer planes that hold one value throughout. Nothing was measured there:
 * it is no field of view. The whole grid where all planes along an axis are so.
 */
export const shownPart = (image: Volume): Grid => gridOf(image, shownBox(image));

/** The image on the grid of its {@link shownPart}. */
export function shownImage(image: Volume): Volume {
  const box = shownBox(image);
  const { first, size } = box;
  if (size.every((n, axis) => n === image.size[axis])) return image;
  const [nx, ny, nz] = size;
  const data = new Float32Array(nx * ny * nz);
  for (let z = 0, at = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++, at += nx) {
      const row = ((z + first[2]) * image.size[1] + y + first[1]) * image.size[0] + first[0];
      data.set(image.data.subarray(row, row + nx), at);
    }
  }
  return { ...gridOf(image, box), data };
}
