/** At the end of training: thresholds for the run's best weights, tuned on its validation patients. */
import { UserError } from "../core/errors";
import { readSafetensors, writeSafetensors } from "../data/safetensors";
import type { Memory } from "../gpu/memory";
import { decisionMetadata } from "../infer/decision_metadata";
import { loadWeights } from "../infer/model";
import { MIN_VOLUMES, type PatientSweep, sweepPatient, THRESHOLDS } from "../infer/sweep";
import { type Decision, tuneDecision } from "../infer/tune_decision";
import { unetParameters } from "../nn/parameters";
import { flatParameters } from "../nn/weights";
import { checkpointPaths, type RunFolder, writeDecision } from "./run_folder";
import { forEachPrediction, type ValidationHooks, type ValidationPatient } from "./validate";

/**
 * Predicts the validation patients as `predict` will (mirrored, where the model says so), and tunes
 * on the results. They go into the metadata of best.safetensors, whose tensors stay as they are, and
 * into decision.json.
 * @throws the signal's reason when interrupted: nothing is written then
 */
export async function decideOnValidation(
  memory: Memory,
  folder: RunFolder,
  patients: readonly ValidationPatient[],
  hooks: ValidationHooks,
): Promise<Decision> {
  const { weights: path } = checkpointPaths(folder, "best");
  const { info, flat } = loadWeights(path);
  const params = flatParameters("best", unetParameters(info.unet));
  memory.write(params.flat, flat);
  const sweeps = new Map<string, PatientSweep>();
  try {
    await forEachPrediction(memory, params, info, patients, hooks, ({ patient, truth }, map) => {
      sweeps.set(patient.id, sweepPatient(map, truth));
    });
  } finally {
    memory.release(params.flat);
  }
  const found = [...sweeps.values()];
  const { tensors, metadata } = readSafetensors(path);
  writeSafetensors({ path, tensors, metadata: { ...metadata, ...decisionMetadata(found) } });
  const decision = tuneDecision(found);
  writeDecision(folder, { weights: path, ...decision, patients: perPatient(sweeps, decision) });
  return decision;
}

/** What the chosen thresholds give on each patient. */
function perPatient(sweeps: ReadonlyMap<string, PatientSweep>, { lesions, patient }: Decision) {
  return [...sweeps].map(([id, { lesions: reference, f1, dice, found, mass }]) => {
    const t = THRESHOLDS.indexOf(lesions?.threshold ?? Number.NaN);
    const v = MIN_VOLUMES.indexOf(lesions?.minLesionVolume ?? Number.NaN);
    const p = THRESHOLDS.indexOf(patient?.threshold ?? Number.NaN);
    return {
      id,
      lesions: reference,
      found: found[t]?.[v],
      lesionF1: reference > 0 ? f1[t]?.[v] : undefined,
      dice: reference > 0 ? dice[t]?.[v] : undefined,
      mass: mass[p],
      newLesions: patient && mass[p]! >= patient.mass,
    };
  });
}

/** The decision of several runs, such as the folds of one training, from all their patients. */
export function decisionOf(weights: readonly string[]): Decision {
  return tuneDecision(
    weights.flatMap((path) => {
      const { sweeps } = loadWeights(path);
      if (sweeps) return sweeps;
      throw new UserError(`${path}: holds no results on validation patients; train to the end`);
    }),
  );
}
