import { UserError } from "../core/errors";
import type { Patient } from "./cohort";
import type { FromFile } from "./nifti_decode";
import { readMask, readVolume } from "./nifti_read";
import { maskOnGrid, type Pair, pairOf } from "./pair";
import type { Affine, Grid, Mask, Volume } from "./volume";
import { isOneImage } from "./voxel_order";

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

/**
 * A visit named twice would teach that lesions look like nothing. A pair without any is fine: nothing changed.
 * @param masks by what they mark
 * @throws UserError naming the patient
 */
export function requireTwoImages(
  { id, time1, time2 }: Patient,
  visits: readonly [Volume, Volume],
  masks: Readonly<Record<string, Pick<Mask, "data"> | undefined>>,
): void {
  const marked = Object.keys(masks).filter((name) => masks[name]?.data.includes(1));
  if (marked.length === 0 || !isOneImage(...visits)) return;
  throw new UserError(
    `${id}: ${time2} holds the same voxels as ${time1}, and a mask marks ${marked.join(" and ")}: one image ` +
      "cannot show a change; give the other visit, empty the mask, or take the patient out of the cohort",
  );
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
  requireTwoImages(patient, [image1, image2], { "new lesions": mask });
  const pair = pairOf(time1, image1, time2, image2);
  const notes = [...pair.notes];
  const onGrid = (path: string, read: Mask & FromFile) => {
    notes.push(...read.notes);
    return maskOnGrid(path, read, time1, image1, notes);
  };
  const loaded = { ...pair, id, truth: onGrid(truth, mask), notes };
  return brain === undefined ? loaded : { ...loaded, brainMask: onGrid(brainMask!, brain) };
}

/** The place of an answer about a pair that was moved: the grid of the visit that the truth travels with. */
export interface AnswerPlace {
  /** 0 for visit 1, 1 for visit 2. */
  readonly visit: 0 | 1;
  readonly grid: Grid;
  /** World of that visit → world of the pair (mm). */
  readonly motion: Affine;
}

/** A patient whose visits and masks are on one grid. */
export interface PlacedPatient extends PatientData {
  /** Lesions gone at visit 2, where they are wanted and known. */
  readonly resolved?: Mask;
  /** Absent where the pair has the grid of visit 1. */
  readonly answer?: AnswerPlace;
  /** Where lesions may lie, in the world of the pair on any grid. */
  readonly allowed?: Mask;
}

/** The way in which a patient's visits come on one grid. */
export interface PatientPlacement {
  /** Of everything that it decides: takes part in the keys of what is made of the patient. */
  readonly key: string;
  /** Lines for the user. */
  readonly notes: readonly string[];
  /** @throws UserError as loadPatient */
  load(wanted: WantedMasks): Promise<PlacedPatient>;
}

export interface WantedMasks {
  readonly brain: boolean;
  readonly resolved: boolean;
}

/** The contents of a file as a hash. */
export type Digest = (path: string) => Promise<string>;

/** @param digest of the patient's files, read once */
export type PlacePatient = (patient: Patient, digest: Digest) => Promise<PatientPlacement>;

/** As the headers say: on the grid of visit 1. */
export const byHeaders: PlacePatient = async (patient) => ({
  key: "headers",
  notes: [],
  async load({ resolved: wanted }) {
    const data = await loadPatient(patient);
    if (!wanted || patient.resolved === undefined) return data;
    const notes = [...data.notes];
    const mask = await readMask(patient.resolved);
    requireTwoImages(patient, [data.time1, data.time2], { "resolved lesions": mask });
    const resolved = maskOnGrid(patient.resolved, mask, patient.time1, data.time1, notes);
    return { ...data, resolved, notes };
  },
});
