import type { Patient } from "./cohort";
import type { FromFile } from "./nifti_decode";
import { readMask, readVolume } from "./nifti_read";
import { maskOnGrid, type Pair, pairOf } from "./pair";
import type { Mask } from "./volume";

export interface PatientData extends Pair {
  readonly id: string;
  readonly truth: Mask;
  readonly brainMask?: Mask;
}

/**
 * Reads two visits. A second visit on another grid is resampled (trilinear) to the first's by
 * header geometry, and a note says so.
 *
 * @throws UserError when a file cannot be used, when the grids differ and a header has no geometry
 *   to resample by, or when the two do not overlap in space
 */
export async function loadPair(path1: string, path2: string): Promise<Pair> {
  const [time1, time2] = await Promise.all([readVolume(path1), readVolume(path2)]);
  return pairOf(path1, time1, path2, time2);
}

/** Reads both visits, the ground truth and, where there is one, the brain mask: all on one grid. */
export async function loadPatient(patient: Patient): Promise<PatientData> {
  const { id, time1, time2, truth, brainMask } = patient;
  const [image1, image2, mask, brain] = await Promise.all([
    readVolume(time1),
    readVolume(time2),
    readMask(truth),
    brainMask === undefined ? undefined : readMask(brainMask),
  ]);
  const pair = pairOf(time1, image1, time2, image2);
  const notes = [...pair.notes];
  const onGrid = (path: string, read: Mask & FromFile) => {
    notes.push(...read.notes);
    return maskOnGrid(path, read, time1, image1, notes);
  };
  const loaded = { ...pair, id, truth: onGrid(truth, mask), notes };
  return brain === undefined ? loaded : { ...loaded, brainMask: onGrid(brainMask!, brain) };
}
