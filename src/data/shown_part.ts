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

/**
 * The grid of an image without its outer planes that hold one value throughout. Nothing was measured there:
 * it is no field of view. The whole grid where all planes along an axis are so.
 */
export function shownPart(image: Volume): Grid {
  const { size, affine } = image;
  const low = [0, 0, 0];
  const high = size.map((n) => n - 1);
  for (let axis = 0; axis < 3; axis++) {
    while (low[axis]! <= high[axis]! && isFlat(image, axis, low[axis]!)) low[axis]!++;
    while (low[axis]! <= high[axis]! && isFlat(image, axis, high[axis]!)) high[axis]!--;
    if (low[axis]! > high[axis]!) return { size, affine };
  }
  const origin = applyAffine(affine, [low[0]!, low[1]!, low[2]!]);
  const moved = affine.map((v, i) => (i < 12 && i % 4 === 3 ? origin[(i - 3) / 4]! : v));
  const shown = high.map((end, axis) => end - low[axis]! + 1);
  return { size: shown as unknown as Size3, affine: moved };
}
