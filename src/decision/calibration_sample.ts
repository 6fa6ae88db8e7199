/** One left-out patient for calibration: voxels by probability, and lesions at every threshold. */
import { voxelVolume } from "../data/affine";
import type { Mask, Volume } from "../data/volume";
import { findLesions, matchLesions, minLesionVoxels } from "../eval/lesion_detection";
import { type FoundLesion, lesionsOf } from "./found_lesions";
import type { LesionFeatures } from "./lesion_calibration";
import { VoxelTally } from "./map_calibration";
import {
  cropToContent,
  MIN_VOLUMES,
  type PatientSweep,
  sweepPatient,
  THRESHOLDS,
} from "./threshold_table";

/** A lesion that was found, and whether it is a true one. */
export interface JudgedLesion extends LesionFeatures {
  readonly isTrue: boolean;
}

/** What a rule finds in a patient. */
export interface JudgedRule {
  readonly lesions: readonly JudgedLesion[];
  /** Reference lesions that are found. */
  readonly hits: number;
}

export interface CalibrationSample {
  readonly tally: VoxelTally;
  readonly sweep: PatientSweep;
  /** Reference lesions of more than 3 mm³. */
  readonly reference: number;
  /** At [threshold][volume] of THRESHOLDS and MIN_VOLUMES. */
  readonly rules: readonly (readonly JudgedRule[])[];
}

/**
 * @param map of a network that was not trained on the patient, not calibrated
 * @param truth on the map's grid
 * @param allowed where lesions may lie, on that grid: components outside do not count
 */
export function calibrationSample(map: Volume, truth: Mask, allowed?: Mask): CalibrationSample {
  const tally = new VoxelTally();
  tally.add(map.data, truth.data);
  const cropped = cropToContent(map, truth, allowed);
  const { size } = cropped.map;
  const reference = findLesions(cropped.truth.data, size, minLesionVoxels(voxelVolume(map.affine)));
  const judged = (threshold: number, minLesionVolume: number): JudgedRule => {
    const found = lesionsOf(cropped.map, { threshold, minLesionVolume }, cropped.allowed);
    const least = minLesionVoxels(voxelVolume(map.affine), minLesionVolume);
    const match = matchLesions(reference, findLesions(found.mask.data, size, least));
    const lesions = found.lesions.map((lesion, i) => ({
      ...featuresOf(lesion),
      isTrue: match.predicted[i] === "detected",
    }));
    const hits = match.reference.filter((verdict) => verdict === "detected").length;
    return { lesions, hits };
  };
  const rules = THRESHOLDS.map((threshold) =>
    MIN_VOLUMES.map((volume) => judged(threshold, volume)),
  );
  return { tally, sweep: sweepPatient(map, truth, allowed), reference: reference.count, rules };
}

const featuresOf = ({ meanProbability, maxProbability, volumeMm3 }: FoundLesion) => ({
  ...{ meanProbability, maxProbability, volumeMm3 },
});
