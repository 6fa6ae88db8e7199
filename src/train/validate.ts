/** Scores weights on whole validation patients, on their native grids. */

import type { Precision } from "../core/tensor";
import { sameGrid } from "../data/affine";
import type { Patient } from "../data/cohort";
import { readMask } from "../data/nifti_read";
import { loadPatient } from "../data/patient";
import type { PreparedPatient } from "../data/prepared_cache";
import type { Mask } from "../data/volume";
import { overlap } from "../eval/dice";
import type { Memory } from "../gpu/memory";
import { type ModelInfo, unetNetwork } from "../infer/model";
import { predictProbability, thresholded } from "../infer/predict";
import type { FlatParameters } from "../nn/weights";

export interface ValidationPatient {
  readonly patient: Patient;
  readonly prepared: PreparedPatient;
  /** On the grid of visit 1. */
  readonly truth: Mask;
}

export interface Score {
  /** Mean Dice over the patients that have lesions; undefined if none has. */
  readonly dice?: number;
  /** Dice by patient id; a patient without lesions scores 1 when nothing is found, else 0. */
  readonly perPatient: Readonly<Record<string, number>>;
}

/** With the truth on the grid of visit 1; the images are not read again. */
export async function validationPatient(
  patient: Patient,
  prepared: PreparedPatient,
): Promise<ValidationPatient> {
  const mask = await readMask(patient.truth);
  const { native } = prepared;
  if (sameGrid(mask, native)) return { patient, prepared, truth: { ...mask, ...native } };
  // Resampling asks the headers of the images too.
  return { patient, prepared, truth: (await loadPatient(patient)).truth };
}

/** Predicts every patient. @throws the signal's reason when interrupted */
export async function validate(
  memory: Memory,
  params: FlatParameters,
  model: ModelInfo,
  patients: readonly ValidationPatient[],
  hooks: {
    readonly signal?: AbortSignal;
    readonly precision?: Precision;
    readonly onPatient?: (id: string, prediction: Mask) => void;
  } = {},
): Promise<Score> {
  const network = unetNetwork(params.named, model.unet);
  const perPatient: Record<string, number> = {};
  const withLesions: number[] = [];
  for (const { patient, prepared, truth } of patients) {
    const probability = await predictProbability(
      memory,
      [{ network, model }],
      prepared,
      prepared.grid,
      truth,
      { signal: hooks.signal, precision: hooks.precision },
    );
    const prediction = thresholded(probability);
    const { dice, truePositives, falseNegatives } = overlap(truth.data, prediction.data);
    perPatient[patient.id] = dice;
    if (truePositives + falseNegatives > 0) withLesions.push(dice);
    hooks.onPatient?.(patient.id, prediction);
  }
  const mean = withLesions.reduce((sum, d) => sum + d, 0) / withLesions.length;
  return { dice: withLesions.length > 0 ? mean : undefined, perPatient };
}
