/** A validation patient of a finished run as a result, for the viewer: both visits, and the mask that was predicted. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { version } from "../../package.json";
import { UserError } from "../core/errors";
import { sameGrid } from "../data/affine";
import { openCohort, type Patient } from "../data/cohort";
import { readMask } from "../data/nifti_read";
import { loadPair } from "../data/patient";
import type { Mask, Volume } from "../data/volume";
import { findLesions } from "../eval/lesion_detection";
import { placeOf } from "../eval/lesions";
import { RECORD_FORMAT, RESULT_FILES, type ResultRecord } from "../result/record";
import { writeResult } from "../result/result_folder";
import { sha256Of } from "../run/file_hash";
import { checkpointPaths, type RunFolder } from "../run/run_folder";
import { readValidation, type ValidatedPatient } from "../run/validation_record";

/**
 * Makes the result in `viewer/` of the run folder where it is not there yet: what a reader decides stays.
 * @returns its folder
 * @throws UserError where the run has not validated the patient at its end, or the scans are gone
 */
export async function validatedResult(run: RunFolder, id: string): Promise<string> {
  const validation = readValidation(run);
  const validated = validation?.patients.find((patient) => patient.id === id);
  if (!validation || !validated) {
    throw new UserError(
      `${run.path}: ${id} has no mask yet; masks are kept when a run is finished`,
    );
  }
  const name = `${basename(dirname(validated.reference))}, iteration ${validation.iteration}`;
  const folder = join(run.path, "viewer", name);
  if (existsSync(join(folder, RESULT_FILES.record))) return folder;
  const patient = await patientOf(run, validated);
  const mask = await readMask(join(run.path, "validation", basename(validated.prediction)));
  const { visits, grid } = await visitsOn(mask, patient);
  const [visit1, visit2] = visits;
  const { weights } = checkpointPaths(run, "last");
  const record: ResultRecord = {
    ...{ format: RECORD_FORMAT, program: `voxgrad ${version}`, created: new Date().toISOString() },
    ...{ patient: name, kind: "network", grid },
    visits: [{ name: basename(patient.time1) }, { name: basename(patient.time2) }],
    files: { mask: "mask.nii.gz", visit1: "visit1.nii.gz", visit2: "visit2.nii.gz" },
    weights: [{ name: basename(weights), sha256: sha256Of(weights) }],
    rule: `as validation.json says, with w̄ of iteration ${validation.iteration}`,
    lesions: lesionsOf(mask),
    newLesions: mask.data.includes(1),
    // A training shows its mask; nobody has asked whether the pair is fit for an answer.
    quality: { fit: false, lines: ["NOT FIT: a validation patient of a training; not checked"] },
  };
  await writeResult(folder, { record, visit1, visit2, mask });
  return folder;
}

/** By its truth: an id is one cohort's. */
async function patientOf(
  { split }: RunFolder,
  { id, reference }: ValidatedPatient,
): Promise<Patient> {
  const { patients } = await openCohort(split.data ?? dirname(dirname(reference)));
  const found = patients.find(({ truth }) => resolve(truth) === resolve(reference));
  if (found) return found;
  throw new UserError(`${reference}: is no longer the truth of ${id}; the cohort has changed`);
}

/** As the headers place them: on the grid of the visit that the mask was drawn on. */
async function visitsOn(
  mask: Mask,
  { id, time1, time2 }: Patient,
): Promise<{ visits: readonly [Volume, Volume]; grid: "t1" | "t2" }> {
  const first = await loadPair(time1, time2);
  if (sameGrid(first.time1, mask)) return { visits: [first.time1, first.time2], grid: "t1" };
  const second = await loadPair(time2, time1);
  if (sameGrid(second.time1, mask)) return { visits: [second.time2, second.time1], grid: "t2" };
  throw new UserError(`${id}: its mask has the grid of neither visit: the files have changed`);
}

function lesionsOf(mask: Mask): ResultRecord["lesions"] {
  const found = findLesions(mask.data, mask.size, 1);
  return Array.from({ length: found.count }, (_, i) => {
    const { centreMm, ...size } = placeOf(mask, found.voxels(i + 1));
    return { id: i + 1, ...size, centreMm: [...centreMm], side: null };
  });
}
