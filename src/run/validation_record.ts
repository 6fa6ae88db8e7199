/** `validation.json` of a run folder: the scores of the trained weights on its validation patients. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeMask } from "../data/nifti_write";
import type { Mask } from "../data/volume";
import { type Evaluation, evaluateMasks } from "../eval/scores";
import { writeJson } from "./run_folder";
import type { ValidationPatient } from "./validate";

/** By all metrics of the MSSEG-2 challenge. */
export interface ValidatedPatient extends Evaluation {
  readonly id: string;
  /** Mask of the true lesions, and the predicted mask. */
  readonly reference: string;
  readonly prediction: string;
}

/** Written once the budget is used up, with w̄ of the last iteration. */
export interface ValidationRecord {
  readonly iteration: number;
  /** Training time, seconds. */
  readonly seconds: number;
  readonly patients: readonly ValidatedPatient[];
}

/** Scores a prediction and keeps its mask in `validation/` of the run folder. */
export async function recordPatient(
  run: { path: string },
  { patient, truth }: ValidationPatient,
  mask: Mask,
): Promise<ValidatedPatient> {
  const folder = join(run.path, "validation");
  mkdirSync(folder, { recursive: true });
  const prediction = join(folder, `${patient.id}.nii.gz`);
  await writeMask(prediction, mask);
  const [a, b] = [
    { ...truth, name: patient.truth },
    { ...mask, name: prediction },
  ];
  return { id: patient.id, reference: patient.truth, prediction, ...evaluateMasks(a, b) };
}

const path = (run: { path: string }) => join(run.path, "validation.json");

export function writeValidation(run: { path: string }, record: ValidationRecord): void {
  writeJson(path(run), record);
}

/** Undefined before the run has used up its budget. */
export function readValidation(run: { path: string }): ValidationRecord | undefined {
  if (!existsSync(path(run))) return undefined;
  return JSON.parse(readFileSync(path(run), "utf8")) as ValidationRecord;
}

/** Whether the run has used up this budget and was validated then. */
export function isFinished(
  run: { path: string },
  budget: { readonly iterations?: number; readonly seconds?: number },
): boolean {
  const record = readValidation(run);
  if (!record) return false;
  const { iterations, seconds = Number.POSITIVE_INFINITY } = budget;
  return iterations === undefined ? record.seconds >= seconds : record.iteration >= iterations;
}
