/** Finds the brain in a FLAIR image, by brightness and shape alone. */
import { gaussian, inVoxels } from "../data/smooth";
import { type Volume, voxelSize } from "../data/volume";
import { largestPart } from "./morphology";

function range(data: Float32Array): readonly [least: number, most: number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < data.length; i++) {
    const v = data[i]!;
    if (v < least) least = v;
    if (v > most) most = v;
  }
  return [least, most];
}

/** The middle of the fullest of 2048 steps of the histogram: air, in any head image. */
export function modeOf(data: Float32Array): number {
  const [least, most] = range(data);
  const step = (most - least) / 2048 || 1;
  const counts = new Float64Array(2049);
  for (let i = 0; i < data.length; i++) counts[Math.floor((data[i]! - least) / step)]! += 1;
  const fullest = counts.indexOf(Math.max(...counts));
  let [sum, n] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    if (Math.floor((data[i]! - least) / step) !== fullest) continue;
    sum += data[i]!;
    n++;
  }
  return sum / n;
}

/** The value at a share of the values in order; 0 where there is none. */
export function quantile(values: Float32Array, q: number): number {
  const sorted = values.toSorted();
  return sorted[Math.floor(q * (sorted.length - 1))] ?? 0;
}

/** By index: the functions of typed arrays that take a function take several times as long. */
function above(values: Float32Array, threshold: number): Uint8Array {
  const mask = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) mask[i] = values[i]! > threshold ? 1 : 0;
  return mask;
}

/** The largest part that holds together when the skin of tissue is taken off, and its surroundings. */
export function estimateBrain(image: Volume, air = modeOf(image.data)): Uint8Array {
  const { size, data } = image;
  const edges = voxelSize(image.affine);
  const some = new Float32Array(Math.ceil(data.length / 7));
  for (let i = 0; i < some.length; i++) some[i] = data[7 * i]!;
  const high = quantile(some, 0.99);
  const middle = quantile(
    some.filter((v) => v > air + 0.15 * (high - air)),
    0.5,
  );
  const tissue = above(data, air + 0.45 * (middle - air));
  const thick = gaussian(Float32Array.from(tissue), size, inVoxels(2.5, edges));
  const core = above(thick, 0.85);
  const kept = Float32Array.from(largestPart({ ...image, data: core }).data);
  const around = gaussian(kept, size, inVoxels(3, edges));
  const brain = above(around, 0.12);
  for (let i = 0; i < brain.length; i++) brain[i]! &= tissue[i]!;
  return brain;
}
