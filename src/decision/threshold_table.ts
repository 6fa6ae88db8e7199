/** Scores every threshold on a validation patient. Decisions are tuned from these tables. */
import { voxelVolume } from "../data/affine";
import type { Mask, Size3, Volume } from "../data/volume";
import { overlap } from "../eval/dice";
import {
  findLesions,
  type Lesions,
  lesionScores,
  matchLesions,
  minLesionVoxels,
} from "../eval/lesion_detection";
import { massOfHeaviest, onlyAllowed, thresholded } from "./found_lesions";

/** Probabilities that are tried as thresholds, increasing. */
export const THRESHOLDS: readonly number[] = Array.from({ length: 19 }, (_, i) => (i + 1) / 20);
/** Volumes (mm³) that are tried as the largest to drop, increasing; scores never count less than 3. */
export const MIN_VOLUMES: readonly number[] = [3, 6, 12, 24];

/** One patient's results, at [threshold][volume] and [threshold]. */
export interface PatientSweep {
  /** Reference lesions of more than 3 mm³. */
  readonly lesions: number;
  /** Lesion F1 of the challenge; 0 everywhere without reference lesions. */
  readonly f1: readonly (readonly number[])[];
  readonly dice: readonly (readonly number[])[];
  /** Predicted lesions. */
  readonly found: readonly (readonly number[])[];
  /** Probability mass of the heaviest component, mm³ (greatestMass). */
  readonly mass: readonly number[];
}

/**
 * @param truth on the map's grid
 * @param allowed where lesions may lie, on that grid: what lies outside does not count
 */
export function sweepPatient(map: Volume, truth: Mask, allowed?: Mask): PatientSweep {
  const cropped = cropToContent(map, truth, allowed);
  const volume = voxelVolume(map.affine);
  const reference = findLesions(cropped.truth.data, cropped.map.size, minLesionVoxels(volume));
  const rows = THRESHOLDS.map((threshold) => sweepThreshold(cropped, reference, threshold));
  return {
    lesions: reference.count,
    f1: rows.map((row) => row.scores.map(({ f1 }) => f1)),
    dice: rows.map((row) => row.scores.map(({ dice }) => dice)),
    found: rows.map((row) => row.scores.map(({ found }) => found)),
    mass: rows.map(({ mass }) => mass),
  };
}

interface Case {
  readonly map: Volume;
  readonly truth: Mask;
  readonly allowed?: Mask;
}

function sweepThreshold({ map, truth, allowed }: Case, reference: Lesions, threshold: number) {
  const mask = onlyAllowed(thresholded(map, threshold), allowed);
  const volume = voxelVolume(map.affine);
  const least = MIN_VOLUMES.map((mm3) => minLesionVoxels(volume, mm3));
  const all = findLesions(mask.data, map.size, least[0]!);
  const scores = least.map((voxels) => {
    const kept = withoutSmall(all, voxels);
    for (let i = 0; i < mask.data.length; i++) if (kept.labels[i] === 0) mask.data[i] = 0;
    const { f1 } = lesionScores(matchLesions(reference, kept));
    const { dice } = overlap(truth.data, mask.data);
    return { f1: rounded(f1 ?? 0), dice: rounded(dice), found: kept.count };
  });
  return { scores, mass: rounded(massOfHeaviest(map, all)) };
}

/** The lesions of at least so many voxels. They are ordered by size; `labels` are changed in place. */
function withoutSmall(lesions: Lesions, least: number): Lesions {
  let { count } = lesions;
  while (count > 0 && lesions.voxels(count).length < least) {
    for (const voxel of lesions.voxels(count)) lesions.labels[voxel] = 0;
    count--;
  }
  return { ...lesions, count };
}

/** Enough digits, in little room in the metadata of a weights file. */
const rounded = (value: number) => Number(value.toFixed(4));

/** The box that holds every lesion and every voxel that any threshold takes; a voxel if none does. */
function contentBox({ size: [nx, ny, nz], data }: Volume, truth: Mask) {
  const low: [number, number, number] = [nx, ny, nz];
  const high: [number, number, number] = [0, 0, 0];
  for (let i = 0, z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) {
        if (truth.data[i] === 0 && !(data[i]! >= THRESHOLDS[0]!)) continue;
        if (x < low[0]) low[0] = x;
        if (x >= high[0]) high[0] = x + 1;
        if (y < low[1]) low[1] = y;
        if (y >= high[1]) high[1] = y + 1;
        if (z < low[2]) low[2] = z;
        high[2] = z + 1;
      }
    }
  }
  if (high[0] === 0) return { low: [0, 0, 0], size: [1, 1, 1] } as const;
  const size: Size3 = [high[0] - low[0], high[1] - low[1], high[2] - low[2]];
  return { low, size };
}

/** All in the box that holds every lesion and every voxel that any threshold takes. */
export function cropToContent(map: Volume, truth: Mask, allowed?: Mask): Case {
  const [nx, ny] = map.size;
  const { low, size } = contentBox(map, truth);
  const cut = <T extends Float32Array | Uint8Array>(data: T, into: T): T => {
    for (let z = 0; z < size[2]; z++) {
      for (let y = 0; y < size[1]; y++) {
        const from = ((low[2] + z) * ny + low[1] + y) * nx + low[0];
        into.set(data.subarray(from, from + size[0]), (z * size[1] + y) * size[0]);
      }
    }
    return into;
  };
  const count = size[0] * size[1] * size[2];
  // The affine serves the volume of a voxel only.
  const grid = { size, affine: map.affine };
  return {
    map: { ...grid, data: cut(map.data, new Float32Array(count)) },
    truth: { ...grid, data: cut(truth.data, new Uint8Array(count)) },
    allowed: allowed && { ...grid, data: cut(allowed.data, new Uint8Array(count)) },
  };
}
