/** Scores tuned thresholds on patients that did not choose them. */
import { mean } from "../eval/statistics";
import { type Decision, type Rate, tuneDecision } from "./choose_thresholds";
import { DEFAULT_RULE } from "./found_lesions";
import { MIN_VOLUMES, type PatientSweep, THRESHOLDS } from "./threshold_table";

export interface Outcome {
  /** Means over the patients with new lesions; NaN where there are none. */
  readonly f1: number;
  readonly dice: number;
  /** Mean number of predicted lesions in the patients without any; NaN where there are none. */
  readonly falseLesions: number;
  /** Of the answer to "any new lesion?". */
  readonly sensitivity: Rate;
  readonly specificity: Rate;
}

/** Each fold's patients by thresholds tuned on the other folds, and by the defaults. */
export function nestedOutcome(folds: readonly (readonly PatientSweep[])[]): {
  readonly tuned: Outcome;
  readonly defaults: Outcome;
} {
  const scored = folds.flatMap((fold) => {
    const decision = tuneDecision(folds.filter((other) => other !== fold).flat());
    return fold.map((sweep) => scoreOf(sweep, decision));
  });
  return {
    tuned: outcomeOf(scored),
    defaults: outcomeOf(folds.flat().map((sweep) => scoreOf(sweep, {}))),
  };
}

/** One patient, as a decision has it. */
interface PatientScore {
  readonly ill: boolean;
  readonly f1: number;
  readonly dice: number;
  readonly found: number;
  readonly newLesions: boolean;
}

function scoreOf(sweep: PatientSweep, { lesions, patient }: Decision): PatientScore {
  const { threshold, minLesionVolume } = lesions ?? DEFAULT_RULE;
  const [t, v] = [THRESHOLDS.indexOf(threshold), MIN_VOLUMES.indexOf(minLesionVolume)];
  const found = sweep.found[t]![v]!;
  const newLesions = patient
    ? sweep.mass[THRESHOLDS.indexOf(patient.threshold)]! >= patient.mass
    : found > 0;
  const [f1, dice] = [sweep.f1[t]![v]!, sweep.dice[t]![v]!];
  return { ill: sweep.lesions > 0, f1, dice, found, newLesions };
}

function outcomeOf(scores: readonly PatientScore[]): Outcome {
  const ill = scores.filter((score) => score.ill);
  const stable = scores.filter((score) => !score.ill);
  const right = (group: readonly PatientScore[]): Rate => ({
    right: group.filter(({ ill, newLesions }) => ill === newLesions).length,
    of: group.length,
  });
  return {
    f1: mean(ill.map(({ f1 }) => f1)),
    dice: mean(ill.map(({ dice }) => dice)),
    falseLesions: mean(stable.map(({ found }) => found)),
    sensitivity: right(ill),
    specificity: right(stable),
  };
}
