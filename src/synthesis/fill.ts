/** Lesions taken out of a scan. */
import type { Philox } from "../core/random";
import { gaussian, inVoxels, weightedMean } from "../data/smooth";
import type { Mask, Size3 } from "../data/volume";
import { smoothstep, type Tissue } from "./tissue";

/**
 * Takes lesions out: what they cover becomes the white matter around them, with the noise of white
 * matter elsewhere.
 * @param chosen voxels of the lesions to take out
 * @param all lesions of the image, which the filling does not look at
 */
export function fill(
  data: Float32Array,
  tissue: Tissue,
  chosen: Uint8Array,
  all: Mask,
  random: Philox,
): void {
  const { size, edges, brain, relative, level, fluid, air } = tissue;
  const sigma = (mm: number) => inVoxels(mm, edges);
  const old = gaussian(Float32Array.from(all.data), size, sigma(1));
  const white = Float32Array.from(brain, (b, i) =>
    b && old[i]! < 0.02 && Math.abs(relative[i]! - 1) < 0.15 ? 1 : 0,
  );
  const wide = weightedMean(data, white, size, sigma(6), (i) => level[i]!);
  const near = weightedMean(data, white, size, sigma(3), (i) => wide[i]!);
  const smooth = gaussian(data, size, sigma(1.5));
  const cover = gaussian(Float32Array.from(chosen), size, sigma(1.2));
  const touched = [...cover.keys()].filter((i) => cover[i]! > 0.02);
  const shift = noiseShift(touched, white, size, edges, random);
  for (const i of touched) {
    const part = smoothstep((cover[i]! - 0.02) / 0.2) * (1 - fluid[i]!);
    if (part === 0) continue;
    const from = i + shift;
    const noise = white[from] ? data[from]! - smooth[from]! : 0;
    data[i]! += part * (Math.max(near[i]!, air) + noise - data[i]!);
  }
}

/** The shift that finds white matter for most of the voxels: the best of 200 random ones. */
function noiseShift(
  voxels: readonly number[],
  white: Float32Array,
  [nx, ny]: Size3,
  edges: readonly [number, number, number],
  random: Philox,
): number {
  let [best, most] = [0, -1];
  for (let trial = 0; trial < 200; trial++) {
    const [x, y, z] = edges.map((mm) => Math.round(random.uniform(-30, 30) / mm));
    const shift = (z! * ny + y!) * nx + x!;
    const count = voxels.reduce((sum, i) => sum + (white[i + shift] ?? 0), 0);
    if (count > most) [best, most] = [shift, count];
  }
  return best;
}
