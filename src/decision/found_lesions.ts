/** Finds the lesions in a probability map: components above a threshold that are large enough. */
import { voxelVolume } from "../data/affine";
import type { Mask, Volume } from "../data/volume";
import { findLesions, type Lesions, MSSEG2_RULE, minLesionVoxels } from "../eval/lesion_detection";
import { type Place, placeOf } from "../eval/lesions";
import { type LesionCalibration, lesionProbability } from "./lesion_calibration";
import { calibrator, type MapCalibration } from "./map_calibration";

/** The rule that makes voxels of a probability map lesion. */
export interface LesionRule {
  /** Probabilities of at least this are lesion. */
  readonly threshold: number;
  /** 6-connected components of this volume or less are dropped, mm³; 0 keeps all. */
  readonly minLesionVolume: number;
}

/** The default rule; its smallest lesion is that of the MSSEG-2 challenge. */
export const DEFAULT_RULE: LesionRule = {
  threshold: 0.5,
  minLesionVolume: MSSEG2_RULE.minVolumeMm3,
};

/** A component of the mask. */
export interface FoundLesion extends Place {
  /** Over its voxels; calibrated, where the map is. */
  readonly meanProbability: number;
  readonly maxProbability: number;
  /** The share of such lesions that are true, where it was fitted. */
  readonly probability?: number;
}

/** What turns the probabilities of a network into those of a lesion. */
export interface LesionScale {
  readonly map?: MapCalibration;
  readonly lesion?: LesionCalibration;
}

export interface FoundLesions {
  readonly mask: Mask;
  /** The largest first. */
  readonly lesions: readonly FoundLesion[];
  /** Components that were too small. */
  readonly dropped: number;
  /** Large enough, but outside the place where lesions may lie; absent where all may. */
  readonly outside?: { readonly components: number; readonly volumeMm3: number };
}

/**
 * A component with a smaller share of its voxels where lesions may lie is left out. Of a lesion of 65 ml only
 * 0.4 may be brighter than what surrounds them (docs/guides/inference.md).
 */
const LEAST_SHARE = 0.3;

function isAllowed(voxels: Int32Array, allowed: Mask | undefined): boolean {
  if (!allowed) return true;
  let inside = 0;
  for (const voxel of voxels) inside += allowed.data[voxel]!;
  return inside >= LEAST_SHARE * voxels.length;
}

/** Takes out, in place, the components that lie where no lesion may. */
export function onlyAllowed(mask: Mask, allowed: Mask | undefined): Mask {
  if (!allowed) return mask;
  const { count, voxels } = findLesions(mask.data, mask.size, 1);
  for (let component = 1; component <= count; component++) {
    const own = voxels(component);
    if (!isAllowed(own, allowed)) for (const voxel of own) mask.data[voxel] = 0;
  }
  return mask;
}

/**
 * The mask on the map's own grid, without the components that are too small.
 * @param map as the network gives it: the rule is about that
 * @param allowed where lesions may lie, on that grid: what has less than 0.3 of its voxels there is left out too
 */
export function lesionsOf(
  map: Volume,
  { threshold, minLesionVolume }: LesionRule,
  allowed?: Mask,
  scale: LesionScale = {},
): FoundLesions {
  const mask = thresholded(map, threshold);
  const voxelMm3 = voxelVolume(map.affine);
  const least = minLesionVoxels(voxelMm3, minLesionVolume);
  const { count, labels, voxels, small } = findLesions(mask.data, map.size, least);
  for (let i = 0; i < labels.length; i++) if (labels[i] === 0) mask.data[i] = 0;
  const all = Array.from({ length: count }, (_, i) => voxels(i + 1));
  const [kept, left] = [true, false].map((is) =>
    all.filter((own) => isAllowed(own, allowed) === is),
  );
  for (const own of left!) for (const voxel of own) mask.data[voxel] = 0;
  const lesions = kept!.map(
    (own): FoundLesion => ({ ...placeOf(map, own), ...probabilitiesOf(map, own, scale) }),
  );
  const volumeMm3 = left!.reduce((sum, own) => sum + own.length, 0) * voxelMm3;
  const outside = allowed && { components: left!.length, volumeMm3 };
  return { mask, lesions, dropped: small.components, outside };
}

function probabilitiesOf(
  map: Volume,
  own: Int32Array,
  { map: calibration, lesion }: LesionScale,
): Pick<FoundLesion, "meanProbability" | "maxProbability" | "probability"> {
  const shown = calibrator(calibration);
  let [sum, most] = [0, 0];
  for (const voxel of own) {
    sum += shown(map.data[voxel]!);
    most = Math.max(most, map.data[voxel]!);
  }
  const probabilities = { meanProbability: sum / own.length, maxProbability: shown(most) };
  if (!lesion) return probabilities;
  const features = {
    ...{ meanProbability: sumOver(map, own) / own.length, maxProbability: most },
    volumeMm3: own.length * voxelVolume(map.affine),
  };
  return { ...probabilities, probability: lesionProbability(features, lesion) };
}

/** 1 where the probability reaches the threshold. */
export function thresholded({ size, affine, data }: Volume, threshold: number): Mask {
  const mask = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) mask[i] = data[i]! >= threshold ? 1 : 0;
  return { size, affine, data: mask };
}

/**
 * Probability mass of the heaviest component of voxels of at least `threshold`, mm³: the sum of its
 * probabilities times the volume of a voxel. Components of 3 mm³ or less do not count, nor do those
 * outside `allowed`.
 */
export function greatestMass(map: Volume, threshold: number, allowed?: Mask): number {
  const { data } = thresholded(map, threshold);
  const found = findLesions(data, map.size, minLesionVoxels(voxelVolume(map.affine)));
  return massOfHeaviest(map, found, allowed);
}

/** As greatestMass, of components that are known already. */
export function massOfHeaviest(
  map: Volume,
  { count, voxels }: Pick<Lesions, "count" | "voxels">,
  allowed?: Mask,
): number {
  let most = 0;
  for (let lesion = 1; lesion <= count; lesion++) {
    const own = voxels(lesion);
    if (isAllowed(own, allowed)) most = Math.max(most, sumOver(map, own));
  }
  return most * voxelVolume(map.affine);
}

function sumOver({ data }: Volume, voxels: Int32Array): number {
  let sum = 0;
  for (const voxel of voxels) sum += data[voxel]!;
  return sum;
}
