/** `validation.json` of a run folder: the scores of the trained weights on its validation patients. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeMask } from "../data/nifti_write";
import type { Mask } from "../data/volume";
import { type Evaluation, evaluateMasks, METRICS } from "../eval/scores";
import { readJsonFile } from "../platform/json_file";
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
  /** Whether --patience ended the run before its budget. */
  readonly endedEarly?: boolean;
  readonly iteration: number;
  /** Training time, seconds. */
  readonly seconds: number;
  readonly patients: readonly ValidatedPatient[];
}

const number = z.number();
const share = number.nullable();

const lesions = z.array(
  z.strictObject({
    id: number,
    overlap: number,
    verdict: z.enum(["detected", "overlap", "outside"]),
    ...{ voxels: number, volumeMm3: number },
    centreMm: z.tuple([number, number, number]),
  }),
);
const small = z.strictObject({ components: number, volumeMm3: number });

const recordSchema = z.strictObject({
  endedEarly: z.boolean().optional(),
  iteration: z.number().int().min(0),
  seconds: z.number().min(0),
  patients: z.array(
    z.strictObject({
      ...{ id: z.string().min(1), reference: z.string(), prediction: z.string() },
      scores: z.record(z.enum(METRICS), share),
      ...{ lesionFree: z.boolean(), voxelVolumeMm3: number },
      ...{ truePositives: number, falsePositives: number, falseNegatives: number },
      ...{ trueNegatives: number, dice: number },
      ...{ sensL: share, ppvL: number, f1: share },
      ...{ referenceLesions: lesions, predictedLesions: lesions },
      ...{ smallInReference: small, smallInPrediction: small },
    }),
  ),
}) satisfies z.ZodType<ValidationRecord>;

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

/** Undefined before the run has used up its budget. @throws UserError when the file is damaged */
export function readValidation(run: { path: string }): ValidationRecord | undefined {
  const file = path(run);
  if (!existsSync(file)) return undefined;
  const remedy = `remove the file, and write it again by --resume ${run.path}`;
  return readJsonFile(file, recordSchema, remedy);
}

/** Whether the run has used up this budget, or ended early, and was validated then. */
export function isFinished(
  run: { path: string },
  budget: { readonly iterations?: number; readonly seconds?: number },
): boolean {
  const record = readValidation(run);
  if (!record) return false;
  if (record.endedEarly) return true;
  const { iterations, seconds = Number.POSITIVE_INFINITY } = budget;
  return iterations === undefined ? record.seconds >= seconds : record.iteration >= iterations;
}
