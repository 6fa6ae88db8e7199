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
import { DEFAULT_RULE, onlyAllowed, thresholded } from "../decision/found_lesions";
import { type PatientSweep, sweepPatient } from "../decision/threshold_table";
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
import type { TrainState } from "../train/state";
import { loadWeights } from "./weights_file";

export interface ValidationPatient {
  readonly patient: Patient;
  readonly prepared: PreparedPatient;
  /** On the grid of visit 1; of a pair that was moved, on that of the visit that it travels with. */
  readonly truth: Mask;
  /** Where lesions may lie, on that grid, as `predict` asks it; absent where that is not known. */
  readonly allowed?: Mask;
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
  const allowed =
    prepared.allowed && movedMask(maskOfRuns(prepared.allowed), answer?.motion ?? IDENTITY, grid);
  if (sameGrid(mask, grid)) return { patient, prepared, truth: { ...mask, ...grid }, allowed };
  // Resampling asks the header of the image too.
  const path = answer?.visit === 1 ? patient.time2 : patient.time1;
  const truth = maskOnGrid(patient.truth, mask, path, await readVolume(path), []);
  return { patient, prepared, truth, allowed };
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

/** Validation patients that are to be predicted, and by which weights. */
export interface ValidationTask {
  /** Those that are trained, or the weights of a file. */
  readonly weights: "student" | "momentum" | { readonly file: string };
  /** As the model says; without it, windows are not mirrored, which costs two to eight times as much. */
  readonly mirrored: boolean;
  /** Whether thresholds are to be tuned on the outcome. */
  readonly sweep: boolean;
}

/** The outcome of one patient, at a probability of 0.5. */
export interface PatientOutcome {
  readonly id: string;
  readonly mask: Mask;
  readonly dice: number;
  readonly hasLesions: boolean;
  /** Lesion F1 of the challenge; null for a patient without lesions. */
  readonly f1: number | null;
  readonly sweep?: PatientSweep;
}

function outcomeOf(
  { patient, truth, allowed }: ValidationPatient,
  map: Volume,
  { sweep }: ValidationTask,
): PatientOutcome {
  const mask = onlyAllowed(thresholded(map, DEFAULT_RULE.threshold), allowed);
  const { dice, truePositives, falseNegatives } = overlap(truth.data, mask.data);
  const { f1 } = compareLesions(truth, mask, MSSEG2_RULE, 6);
  return {
    ...{ id: patient.id, mask, dice, f1, hasLesions: truePositives + falseNegatives > 0 },
    sweep: sweep ? sweepPatient(map, truth, allowed) : undefined,
  };
}

/** Predicts patients for a training. @throws the signal's reason when interrupted */
export async function predictPatients(
  memory: Memory,
  state: Pick<TrainState, "student" | "momentum">,
  model: ModelInfo,
  task: ValidationTask,
  patients: readonly ValidationPatient[],
  hooks: ValidationHooks,
): Promise<PatientOutcome[]> {
  const outcomes: PatientOutcome[] = [];
  const visit = (each: ValidationPatient, map: Volume) => {
    outcomes.push(outcomeOf(each, map, task));
  };
  const { weights } = task;
  if (typeof weights === "object") {
    await forEachPredictionBy(memory, loadWeights(weights.file), patients, hooks, visit);
  } else {
    const asked = task.mirrored ? model : { ...model, mirror: "" as const };
    await forEachPrediction(memory, state[weights], asked, patients, hooks, visit);
  }
  return outcomes;
}

/** The score of all patients together. */
export function scoreOf(outcomes: readonly PatientOutcome[]): Score {
  const meanOf = (values: readonly number[]) => (values.length > 0 ? mean(values) : undefined);
  const perPatient: Record<string, number> = {};
  const lesionF1PerPatient: Record<string, number> = {};
  for (const { id, dice, f1 } of outcomes) {
    perPatient[id] = dice;
    if (f1 !== null) lesionF1PerPatient[id] = f1;
  }
  const dice = meanOf(outcomes.flatMap(({ hasLesions, dice }) => (hasLesions ? [dice] : [])));
  const f1s = Object.values(lesionF1PerPatient);
  return { dice, perPatient, lesionF1: meanOf(f1s), lesionF1PerPatient };
}
