/** Voxels, contrast and noise of one FLAIR image. */
import { eroded, withFluid } from "../brain/morphology";
import { robustSpread } from "../change/differential_bias";
import { resampleMaskTo, resampleTo } from "../data/resample";
import { type Mask, type Size3, type Volume, voxelAt, voxelSize } from "../data/volume";
import { quantile } from "../register/head";
import type { VisitQuality } from "./measured_pair";

/** Less fluid says nothing, ml. */
const LEAST_FLUID_ML = 2;
/** Noise is looked for so far inside the brain, mm: its surface is no noise. */
const INSIDE_MM = 4;

/**
 * @param image as it was read
 * @param brain its mask, in its world
 */
export function visitQuality(image: Volume, brain: Mask | undefined): VisitQuality {
  const edges = voxelSize(image.affine);
  const sizes = { voxelMm: edges, sliceMm: Math.max(...edges) };
  if (!brain) return sizes;
  const { millilitres, tissue, contrast } = contrastOf(image, brain);
  const inside = resampleMaskTo(eroded(brain, INSIDE_MM), image).data;
  return { ...sizes, brainMl: millilitres, contrast, noise: noiseOf(image, inside) / tissue };
}

function contrastOf(image: Volume, brain: Mask) {
  const { data } = resampleTo(image, brain);
  const closed = withFluid(brain).data;
  const sorted = (keep: (i: number) => boolean) => data.filter((_, i) => keep(i)).sort();
  const inBrain = sorted((i) => brain.data[i] === 1);
  const fluid = sorted((i) => closed[i] === 1 && brain.data[i] === 0);
  const [x, y, z] = voxelSize(brain.affine);
  const ml = (x * y * z) / 1000;
  const tissue = quantile(inBrain, 0.5);
  // The darker half of what is no tissue: the rest holds some of it.
  const contrast =
    fluid.length * ml < LEAST_FLUID_ML ? undefined : 1 - quantile(fluid, 0.25) / tissue;
  return { millilitres: inBrain.length * ml, tissue, contrast };
}

/**
 * Standard deviation of the noise: 1.4826 · MAD of Immerkær's difference of Laplacians (Computer Vision
 * and Image Understanding 64, 1996), in the plane of the two finest axes, where `counts` is set. It does
 * not see edges and gradients. Images that a scanner interpolated have smoother noise: it counts for less.
 */
export function noiseOf({ size, affine, data }: Volume, counts: Uint8Array): number {
  const steps = [1, size[0], size[0] * size[1]] as const;
  const edges = voxelSize(affine);
  const [u, v] = [0, 1, 2].sort((a, b) => edges[a]! - edges[b]!) as [0 | 1 | 2, 0 | 1 | 2];
  const found: number[] = [];
  const [du, dv] = [steps[u], steps[v]];
  for (let i = 0; i < data.length; i++) {
    if (counts[i] !== 1 || onFace(i, size, u) || onFace(i, size, v)) continue;
    let sum = 0;
    for (const [a, wa] of MASK)
      for (const [b, wb] of MASK) sum += wa * wb * data[i + a * du + b * dv]!;
    found.push(sum / 6);
  }
  return found.length === 0 ? 0 : robustSpread(Float32Array.from(found)).sigma;
}

/** Second difference; the squares of the 9 products add up to 36. */
const MASK = [
  [-1, 1],
  [0, -2],
  [1, 1],
] as const;

function onFace(i: number, size: Size3, axis: 0 | 1 | 2): boolean {
  const at = voxelAt(i, size)[axis];
  return at === 0 || at === size[axis] - 1;
}
