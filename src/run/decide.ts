/** Tunes thresholds for a run's best weights on its validation patients, at the end of training. */
import { readSafetensors, writeSafetensors } from "../data/safetensors_file";
import { type Decision, tuneDecision } from "../decision/choose_thresholds";
import { decisionMetadata } from "../decision/stored_decision";
import { MIN_VOLUMES, type PatientSweep, THRESHOLDS } from "../decision/threshold_table";
import { checkpointPaths, type RunFolder, writeDecision } from "./run_folder";
import { loadWeights } from "./weights_file";

/** Results on validation patients, by id. */
export type Sweeps = ReadonlyMap<string, PatientSweep>;

/**
 * Tunes thresholds on these results. They go into the metadata of best.safetensors, whose tensors
 * stay as they are, and the choice into decision.json.
 */
export function decide(folder: RunFolder, sweeps: Sweeps): Decision {
  const { weights: path } = checkpointPaths(folder, "best");
  const found = [...sweeps.values()];
  const { tensors, metadata } = readSafetensors(path);
  writeSafetensors({ path, tensors, metadata: { ...metadata, ...decisionMetadata(found) } });
  const decision = tuneDecision(found);
  writeDecision(folder, { weights: path, ...decision, patients: perPatient(sweeps, decision) });
  return decision;
}

/** The outcome of the chosen thresholds on each patient. */
function perPatient(sweeps: Sweeps, { lesions, patient }: Decision) {
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

/** Those of a finished run's best weights; none where it is older than they are. */
export function storedBest(folder: { path: string }): readonly PatientSweep[] {
  return loadWeights(checkpointPaths(folder, "best").weights).sweeps ?? [];
}
