/** The rule for a few voxels that are far brighter than all others (docs/guides/data.md). */
import type { FromFile } from "./nifti_decode";
import type { Volume } from "./volume";

/** Share of the voxels that are not 0, by |value|, which says how bright an image is. */
const SHARE = 0.99;
/** A voxel is hot from this many times that on: in ordinary scans none passes 4. */
const FACTOR = 10;

/**
 * An image without hot voxels: those of more than ten times the 99 % quantile of |value| get that
 * quantile, with their sign, and a note tells it. Left as they are they would decide the standard
 * deviation alone, and the brain would be one value. An image without any stays the same object.
 *
 * @param path for the note
 */
export function withoutHotVoxels<I extends Volume & FromFile>(image: I, path: string): I {
  const limit = quantileOfMagnitude(image.data);
  const most = FACTOR * limit;
  let count = 0;
  let largest = 0;
  for (let i = 0; i < image.data.length; i++) {
    const magnitude = Math.abs(image.data[i]!);
    if (magnitude > most) count++;
    if (magnitude > largest) largest = magnitude;
  }
  if (count === 0) return image;
  const data = image.data.map((v) => (Math.abs(v) > most ? Math.sign(v) * limit : v));
  const digits = (value: number) => Number(value.toPrecision(3));
  const note =
    `${path}: ${count} hot ${count === 1 ? "voxel" : "voxels"} of up to ${digits(largest)}, where ` +
    `${100 * SHARE} % of the image stay below ${digits(limit)}: set to that`;
  return { ...image, data, notes: [...image.notes, note] };
}

/**
 * The quantile by the upper 15 bits of the numbers after the sign, which sort as the numbers do: at
 * most 0.8 % above the true one. Infinity where all voxels are 0.
 */
function quantileOfMagnitude(data: Float32Array): number {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const counts = new Uint32Array(2 ** 15);
  for (let i = 0; i < bits.length; i++) counts[(bits[i]! & 0x7fffffff) >>> 16]!++;
  const zeros = counts[0]!;
  const wanted = SHARE * (data.length - zeros);
  let [bin, below] = [0, 0];
  while (below < wanted) below += counts[++bin]!;
  if (bin === 0) return Number.POSITIVE_INFINITY;
  return new Float32Array(Uint32Array.of((bin + 1) << 16).buffer)[0]!;
}
