/** Finds the brain in a FLAIR image, by brightness and shape alone. */
import { gaussian, inVoxels } from "../data/smooth";
import { type Volume, voxelSize } from "../data/volume";
import { connectedComponents } from "../eval/components";

function range(data: Float32Array): readonly [least: number, most: number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const v of data) {
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
  for (const v of data) counts[Math.floor((v - least) / step)]! += 1;
  const fullest = counts.indexOf(Math.max(...counts));
  let [sum, n] = [0, 0];
  for (const v of data) {
    if (Math.floor((v - least) / step) !== fullest) continue;
    sum += v;
    n++;
  }
  return sum / n;
}

/** The value at a share of the values in order; 0 where there is none. */
export function quantile(values: Float32Array, q: number): number {
  const sorted = values.toSorted();
  return sorted[Math.floor(q * (sorted.length - 1))] ?? 0;
}

/** The largest part that holds together when the skin of tissue is taken off, and its surroundings. */
export function estimateBrain(image: Volume, air = modeOf(image.data)): Uint8Array {
  const { size, data } = image;
  const edges = voxelSize(image.affine);
  const high = quantile(
    data.filter((_, i) => i % 7 === 0),
    0.99,
  );
  const some = data.filter((v, i) => i % 7 === 0 && v > air + 0.15 * (high - air));
  const middle = quantile(some, 0.5);
  const tissue = data.map((v) => (v > air + 0.45 * (middle - air) ? 1 : 0));
  const thick = gaussian(tissue, size, inVoxels(2.5, edges));
  const core = Uint8Array.from(thick, (v) => (v > 0.85 ? 1 : 0));
  const { count, voxels } = connectedComponents(core, size);
  let largest: Int32Array = new Int32Array();
  for (let c = 1; c <= count; c++) if (voxels(c).length > largest.length) largest = voxels(c);
  const kept = new Float32Array(data.length);
  for (const i of largest) kept[i] = 1;
  const around = gaussian(kept, size, inVoxels(3, edges));
  return Uint8Array.from(around, (v, i) => (v > 0.12 && tissue[i] ? 1 : 0));
}
