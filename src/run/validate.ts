/** Scores weights on whole validation patients, on their native grids. */

import { movedMask } from "../brain/pair_brain";
import type { Precision } from "../core/tensor";
import { IDENTITY, sameGrid } from "../data/affine";
import type { Patient } from "../data/cohort";
import { maskOfRuns } from "../data/mask_runs";
import { readMask, readVolume } from "../data/nifti_read";
import { maskOnGrid } from "../data/pair";
import { loadPair } from "../data/patient";
import type { PreparedPatient } from "../data/prepared_cache";
import type { Mask, Volume } from "../data/volume";
import { DEFAULT_RULE, thresholded, withoutFar } from "../decision/found_lesions";
import { overlap } from "../eval/dice";
import { MSSEG2_RULE } from "../eval/lesion_detection";
import { compareLesions } from "../eval/lesions";
import { mean } from "../eval/statistics";
import type { Memory } from "../gpu/memory";
import { type LoadedWeights, unetNetwork } from "../infer/model";
import type { ModelInfo } from "../infer/model_info";
import { predictProbability } from "../infer/predict";
import type { DeviceChoices } from "../infer/window_batch";
import { unetParameters } from "../nn/parameters";
import { type FlatParameters, flatParameters } from "../nn/weights";
import { warpTo } from "../register/warp";

export interface ValidationPatient {
  readonly patient: Patient;
  readonly prepared: PreparedPatient;
  /** On the grid of visit 1; of a pair that was moved, on that of the visit that it travels with. */
  readonly truth: Mask;
  /** Where lesions may lie, on that grid, as `predict` asks it; absent where that is not known. */
  readonly near?: Mask;
}

/** At a probability of 0.5, without anything dropped. */
export interface Score {
  /** Mean Dice over the patients that have lesions; undefined if none has. */
  readonly dice?: number;
  /** Dice by patient id; a patient without lesions scores 1 when nothing is found, else 0. */
  readonly perPatient: Readonly<Record<string, number>>;
  /** Mean lesion F1 of the challenge over the patients that have lesions; undefined if none has. */
  readonly lesionF1?: number;
  /** Lesion F1 by id of the patients that have lesions. */
  readonly lesionF1PerPatient: Readonly<Record<string, number>>;
}

/** With the truth as it was drawn. */
export async function validationPatient(
  patient: Patient,
  prepared: PreparedPatient,
): Promise<ValidationPatient> {
  const mask = await readMask(patient.truth);
  const { native, answer } = prepared;
  const grid = answer?.grid ?? native;
  const near =
    prepared.near && movedMask(maskOfRuns(prepared.near), answer?.motion ?? IDENTITY, grid);
  if (sameGrid(mask, grid)) return { patient, prepared, truth: { ...mask, ...grid }, near };
  // Resampling asks the header of the image too.
  const path = answer?.visit === 1 ? patient.time2 : patient.time1;
  const truth = maskOnGrid(patient.truth, mask, path, await readVolume(path), []);
  return { patient, prepared, truth, near };
}

/** A map on the grid of the pair, on that of the patient's truth. */
async function onTruthGrid(
  memory: Memory,
  { answer }: PreparedPatient,
  map: Volume,
): Promise<Volume> {
  if (!answer) return map;
  return warpTo(memory, map, answer.motion, answer.grid, { order: "trilinear" });
}

/** Both visits on the grid of the truth, as the network sees them where the pair was moved. */
export async function visitsForTruth(
  memory: Memory,
  { patient, prepared }: ValidationPatient,
): Promise<{ visit1: Volume; visit2: Volume }> {
  if (!prepared.answer) {
    const { time1, time2 } = await loadPair(patient.time1, patient.time2);
    return { visit1: time1, visit2: time2 };
  }
  const { visit1, visit2 } = await prepared.load();
  const seen = (data: Float32Array) => onTruthGrid(memory, prepared, { ...prepared.grid, data });
  return { visit1: await seen(visit1), visit2: await seen(visit2) };
}

export interface ValidationHooks {
  readonly signal?: AbortSignal;
  readonly precision?: Precision;
  readonly choices?: DeviceChoices;
}

/** Calls `visit` with every patient's probability map, one after the other. @throws as validate */
export async function forEachPrediction(
  memory: Memory,
  params: FlatParameters,
  model: ModelInfo,
  patients: readonly ValidationPatient[],
  { signal, precision, choices }: ValidationHooks,
  visit: (patient: ValidationPatient, map: Volume) => void,
): Promise<void> {
  const members = [{ network: unetNetwork(params.named, model.unet), model }];
  for (const each of patients) {
    const { prepared, truth } = each;
    const { grid, native, answer } = prepared;
    const options = { signal, precision, choices };
    const onto = answer ? native : truth;
    const map = await predictProbability(memory, members, prepared, grid, onto, options);
    visit(each, await onTruthGrid(memory, prepared, map));
  }
}

/** The same by weights of a file, which lie on the device meanwhile. */
export async function forEachPredictionBy(
  memory: Memory,
  { info, flat }: Pick<LoadedWeights, "info" | "flat">,
  patients: readonly ValidationPatient[],
  hooks: ValidationHooks,
  visit: (patient: ValidationPatient, map: Volume) => void,
): Promise<void> {
  const params = flatParameters("best", unetParameters(info.unet));
  memory.write(params.flat, flat);
  try {
    await forEachPrediction(memory, params, info, patients, hooks, visit);
  } finally {
    memory.release(params.flat);
  }
}

/** Gets the mask at 0.5 and the map that it was made of. */
export type OnPatient = (patient: ValidationPatient, prediction: Mask, map: Volume) => void;

/** The scores of both networks, as a line of `metrics.jsonl` holds them. */
export function scoreFields(student: Score, momentum: Score) {
  return {
    diceStudent: student.dice,
    diceMomentum: momentum.dice,
    lesionF1Student: student.lesionF1,
    lesionF1Momentum: momentum.lesionF1,
    perPatient: { student: student.perPatient, momentum: momentum.perPatient },
    lesionF1PerPatient: {
      student: student.lesionF1PerPatient,
      momentum: momentum.lesionF1PerPatient,
    },
  };
}

/** Predicts every patient. @throws the signal's reason when interrupted */
export async function validate(
  memory: Memory,
  params: FlatParameters,
  model: ModelInfo,
  patients: readonly ValidationPatient[],
  hooks: ValidationHooks & { readonly onPatient?: OnPatient } = {},
): Promise<Score> {
  const perPatient: Record<string, number> = {};
  const lesionF1PerPatient: Record<string, number> = {};
  const withLesions: number[] = [];
  await forEachPrediction(memory, params, model, patients, hooks, (each, map) => {
    const { patient, truth, near } = each;
    const prediction = withoutFar(thresholded(map, DEFAULT_RULE.threshold), near);
    const { dice, truePositives, falseNegatives } = overlap(truth.data, prediction.data);
    perPatient[patient.id] = dice;
    if (truePositives + falseNegatives > 0) withLesions.push(dice);
    const { f1 } = compareLesions(truth, prediction, MSSEG2_RULE, 6);
    if (f1 !== null) lesionF1PerPatient[patient.id] = f1;
    hooks.onPatient?.(each, prediction, map);
  });
  const f1s = Object.values(lesionF1PerPatient);
  const meanOf = (values: readonly number[]) => (values.length > 0 ? mean(values) : undefined);
  return { dice: meanOf(withLesions), perPatient, lesionF1: meanOf(f1s), lesionF1PerPatient };
}
