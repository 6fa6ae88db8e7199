import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parentPort } from "node:worker_threads";
import { UserError } from "../../core/errors";
import { writeMask, writeVolume } from "../nifti_write";
import { makePatient, type PatientSettings } from "./patient";

/** A message of the pool: make patient `index` and write it under `root`. */
export interface PatientTask {
  readonly settings: PatientSettings;
  readonly root: string;
  readonly index: number;
}

/** A line of the cohort's manifest. */
export interface PatientSummary {
  readonly id: string;
  readonly oldLesions: number;
  /** Volume of each new lesion, mm³. */
  readonly newLesions: readonly number[];
}

export type PatientResult =
  | { readonly summary: PatientSummary }
  | { readonly error: string; readonly isUserError: boolean };

/** Makes one patient and writes it in the MSSEG-2 layout. */
export async function writePatient({ settings, root, index }: PatientTask) {
  const id = `patient${String(index + 1).padStart(3, "0")}`;
  const patient = makePatient(settings, index);
  const folder = join(root, id);
  await mkdir(folder);
  await Promise.all([
    writeVolume(join(folder, "flair_time01_on_middle_space.nii.gz"), patient.visits[0]),
    writeVolume(join(folder, "flair_time02_on_middle_space.nii.gz"), patient.visits[1]),
    writeMask(join(folder, "ground_truth.nii.gz"), patient.truth),
  ]);
  const { oldLesions, newLesions } = patient;
  return { id, oldLesions, newLesions };
}

parentPort?.on("message", async (task: PatientTask) => {
  const result: PatientResult = await writePatient(task).then(
    (summary) => ({ summary }),
    (error: Error) => ({
      error: error instanceof UserError ? error.message : (error.stack ?? error.message),
      isUserError: error instanceof UserError,
    }),
  );
  parentPort?.postMessage(result);
});
