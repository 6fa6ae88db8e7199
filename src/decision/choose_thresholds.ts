/**
 * Thresholds tuned on validation patients: for lesion F1, and apart from that for the question
 * whether a patient has any new lesion. docs/guides/inference.md says how they are chosen.
 */
import { mean } from "../eval/statistics";
import type { LesionRule } from "./found_lesions";
import { MIN_VOLUMES, type PatientSweep, THRESHOLDS } from "./threshold_table";

/** Right answers among so many. */
export interface Rate {
  readonly right: number;
  readonly of: number;
}

/** Tuned for lesion F1, with what it gave on the validation patients. */
export interface TunedLesionRule extends LesionRule {
  /** Means over the patients with lesions. */
  readonly f1: number;
  readonly dice: number;
  readonly patients: number;
  /** Mean number of predicted lesions in the patients without any; absent if there are none. */
  readonly falseLesions?: number;
}

/** A patient has new lesions when a component of voxels of at least `threshold` has this mass. */
export interface PatientRule {
  readonly threshold: number;
  /** Probability mass, mm³ (greatestMass in found_lesions.ts). */
  readonly mass: number;
  /** On the validation patients with new lesions, and on those without. */
  readonly sensitivity: Rate;
  readonly specificity: Rate;
}

/** The tuned rules; one is absent where the patients do not decide it. */
export interface Decision {
  readonly lesions?: TunedLesionRule;
  readonly patient?: PatientRule;
}

export function tuneDecision(sweeps: readonly PatientSweep[]): Decision {
  const ill = sweeps.filter(({ lesions }) => lesions > 0);
  const stable = sweeps.filter(({ lesions }) => lesions === 0);
  return { lesions: tuneLesions(ill, stable), patient: tunePatient(ill, stable) };
}

/**
 * The decision of a set of weights files by the patients of all. Files that hold the same patients' results, as those of
 * one mean that was calibrated by its maps do, count once.
 */
export function sharedDecision(
  files: readonly { readonly sweeps?: readonly PatientSweep[] }[],
): Decision {
  const distinct = new Map(files.map(({ sweeps = [] }) => [JSON.stringify(sweeps), sweeps]));
  return tuneDecision([...distinct.values()].flat());
}

/** Settings whose F1 is this close to the best are told apart by what they find where nothing is. */
const NO_DIFFERENCE = 0.01;

interface Setting extends TunedLesionRule {
  /** F1 with that of the neighbouring thresholds: a lone peak is chance. */
  readonly smoothed: number;
}

function tuneLesions(
  ill: readonly PatientSweep[],
  stable: readonly PatientSweep[],
): TunedLesionRule | undefined {
  const settings = THRESHOLDS.flatMap((threshold, t) =>
    MIN_VOLUMES.map((minLesionVolume, v): Setting => {
      const f1 = (at: number) => mean(ill.map((sweep) => sweep.f1[at]?.[v] ?? 0));
      const falseLesions = mean(stable.map((sweep) => sweep.found[t]![v]!));
      return {
        ...{ threshold, minLesionVolume, patients: ill.length },
        f1: f1(t),
        smoothed: (f1(t - 1) + 2 * f1(t) + f1(t + 1)) / 4,
        dice: mean(ill.map((sweep) => sweep.dice[t]![v]!)),
        falseLesions: stable.length > 0 ? falseLesions : undefined,
      };
    }),
  );
  const best = Math.max(...settings.map(({ smoothed }) => smoothed));
  if (!(best > 0)) return undefined;
  const { smoothed, ...chosen } = settings
    .filter((setting) => setting.smoothed >= best - NO_DIFFERENCE)
    .sort(
      (a, b) =>
        (a.falseLesions ?? 0) - (b.falseLesions ?? 0) ||
        b.smoothed - a.smoothed ||
        b.dice - a.dice ||
        fromHalf(a) - fromHalf(b),
    )[0]!;
  return chosen;
}

const fromHalf = ({ threshold }: { readonly threshold: number }) => Math.abs(threshold - 0.5);

/** Masses below this are as good as none, mm³. */
const LEAST_MASS = 1;

interface Cut extends PatientRule {
  /** Sensitivity + specificity − 1 (Youden's J). */
  readonly youden: number;
  /** How far apart the masses on its two sides are, as a ratio. */
  readonly gap: number;
}

function tunePatient(
  ill: readonly PatientSweep[],
  stable: readonly PatientSweep[],
): PatientRule | undefined {
  if (ill.length === 0 || stable.length === 0) return undefined;
  const cuts = THRESHOLDS.flatMap((threshold, t) => {
    const [yes, no] = [ill, stable].map((sweeps) =>
      sweeps.map(({ mass }) => Math.max(LEAST_MASS, mass[t]!)),
    );
    const sorted = [...new Set([LEAST_MASS, ...yes!, ...no!])].sort((a, b) => a - b);
    return sorted.slice(1).map((above, i): Cut => {
      const below = sorted[i]!;
      // Masses span orders of magnitude: the middle is a geometric mean.
      const mass = Number(Math.sqrt(below * above).toPrecision(4));
      const sensitivity = { right: yes!.filter((m) => m >= above).length, of: ill.length };
      const specificity = { right: no!.filter((m) => m < above).length, of: stable.length };
      const youden = share(sensitivity) + share(specificity) - 1;
      return { threshold, mass, sensitivity, specificity, youden, gap: above / below };
    });
  });
  const [first] = cuts.sort(
    (a, b) => b.youden - a.youden || b.gap - a.gap || fromHalf(a) - fromHalf(b),
  );
  if (!first || first.youden <= 0) return undefined;
  const { youden, gap, ...chosen } = first;
  return chosen;
}

const share = ({ right, of }: Rate) => right / of;
