/**
 * Finds the white matter of a FLAIR image without a segmentation tool: its level from the mode of the
 * deep brain's intensities, a local level that follows the bias field, and places where a lesion may
 * lie.
 */
import { estimateBrain, modeOf, quantile } from "../brain/estimate";
import { UserError } from "../core/errors";
import { gaussian, inVoxels, weightedMean } from "../data/smooth";
import { type Mask, type Size3, type Volume, voxelSize } from "../data/volume";

export interface Tissue {
  readonly size: Size3;
  /** Edges of a voxel, mm. */
  readonly edges: readonly [number, number, number];
  /** Intensity of nothing. */
  readonly air: number;
  /** Local intensity of white matter. */
  readonly level: Float32Array;
  /** (smoothed intensity − air) / (level − air): white matter is 1, lesions are above 1.2. */
  readonly relative: Float32Array;
  /** 0 in tissue, 1 in fluid and outside the brain, between at borders. */
  readonly fluid: Float32Array;
  readonly brain: Uint8Array;
  /** 1 where a lesion may lie. */
  readonly plausible: Uint8Array;
}

/** Smoothing that tells tissue from noise, mm. */
const FINE_MM = 0.8;
/** The reach of the local level, mm. */
const LEVEL_MM = 12;
const WIDE_MM = 25;
/** Neighbourhood of a plausible place, mm. */
const AROUND_MM = 3;

/**
 * @param brain of the image, where there is one
 * @param lesions that are there already
 * @throws UserError when no brain can be made out
 */
export function tissueOf(name: string, image: Volume, brainMask?: Mask, lesions?: Mask): Tissue {
  const { size, data } = image;
  const edges = voxelSize(image.affine);
  const sigma = (mm: number) => inVoxels(mm, edges);
  const air = modeOf(data);
  const brain = brainOf(image, air, brainMask);
  const inside = Float32Array.from(brain);
  const closed = gaussian(inside, size, sigma(6));
  const white = whiteMode(name, data, brain, closed, air);
  if (!Number.isFinite(white - air) || white === air) {
    throw new UserError(
      `${name}: white matter (${white}) cannot be told from air (${air}); check the image`,
    );
  }
  const about = (of: (voxel: number) => number, low: number, high: number, mm: number) => {
    const near = inside.map((b, i) => {
      const r = (data[i]! - air) / (of(i) - air);
      return b > 0 && r > low && r < high && !lesions?.data[i] ? 1 : 0;
    });
    return weightedMean(data, near, size, sigma(mm), () => white);
  };
  // Grey matter is a little brighter in FLAIR, and near its border the more common.
  const wide = about(() => white, 0.78, 1.22, WIDE_MM);
  const level = about((i) => wide[i]!, 0.8, 1.04, LEVEL_MM);
  const fine = gaussian(data, size, sigma(FINE_MM));
  const relative = fine.map((v, i) => (v - air) / (level[i]! - air));
  const fluid = data.map((v, i) => {
    const r = 0.5 * (relative[i]! + (v - air) / (level[i]! - air));
    return brain[i] ? 1 - smoothstep((r - 0.5) / 0.3) : 1;
  });
  const old = Float32Array.from(lesions?.data ?? new Uint8Array(data.length));
  const lesionNear = lesions ? gaussian(old, size, sigma(1)) : old;
  const is = inside.map((b, i) =>
    b > 0 && Math.abs(relative[i]! - 1) < 0.12 && lesionNear[i]! < 0.05 ? 1 : 0,
  );
  const share = gaussian(is, size, sigma(AROUND_MM));
  const fluidShare = gaussian(fluid, size, sigma(AROUND_MM));
  const plausible = Uint8Array.from(is, (here, i) => {
    const deep = closed[i]! > 0.97;
    const [most, least] = deep ? [0.4, 0.4] : [0.03, 0.8];
    return here && closed[i]! > 0.85 && share[i]! > least && fluidShare[i]! < most ? 1 : 0;
  });
  return { size, edges, air, level, relative, fluid, brain, plausible };
}

export function smoothstep(t: number): number {
  const u = Math.min(1, Math.max(0, t));
  return u * u * (3 - 2 * u);
}

/** The estimate, inside the mask where there is one that agrees with it: masks may be loose. */
function brainOf(image: Volume, air: number, mask?: Mask): Uint8Array {
  const estimate = estimateBrain(image, air);
  if (!mask) return estimate;
  const both = estimate.map((v, i) => (v && mask.data[i] ? 1 : 0));
  const count = (of: Uint8Array) => of.reduce((sum, v) => sum + v, 0);
  return count(both) > 0.4 * count(mask.data) ? both : mask.data;
}

/** Mode of the intensities at the brain's depth: white matter is the most common there. */
function whiteMode(
  name: string,
  data: Float32Array,
  brain: Uint8Array,
  closed: Float32Array,
  air: number,
): number {
  const deep = data.filter((v, i) => brain[i] && closed[i]! > 0.95 && v !== air);
  if (deep.length < 500) {
    throw new UserError(`${name}: no brain found in this image; put a brain_mask.nii.gz beside it`);
  }
  const [low, high] = [quantile(deep, 0.02), quantile(deep, 0.98)];
  const bins = new Float32Array(200);
  for (const v of deep) {
    const bin = Math.floor(((v - low) / (high - low)) * 200);
    if (bin >= 0 && bin < 200) bins[bin]! += 1;
  }
  const even = gaussian(bins, [200, 1, 1], [5, 0, 0]);
  const mode = even.indexOf(Math.max(...even));
  return low + ((mode + 0.5) / 200) * (high - low);
}
