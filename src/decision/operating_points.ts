/** Rules for lesions between which a user may choose: as tuned, sensitive, or with few false alarms. */

import type { CalibrationSample, JudgedRule } from "./calibration_sample";
import type { Rate } from "./choose_thresholds";
import type { LesionRule } from "./found_lesions";
import { fitLesions, type LesionCalibration } from "./lesion_calibration";
import { MIN_VOLUMES, THRESHOLDS } from "./threshold_table";

/** By name, β of the F score that the rule has the largest of; the tuned one is not chosen here. */
const BETA = { sensitive: 2, "few-false-alarms": 0.5 } as const;
export const OPERATING_POINTS = ["default", "sensitive", "few-false-alarms"] as const;
export type OperatingPointName = (typeof OPERATING_POINTS)[number];

/** A rule, and what it gave on the left-out patients. */
export interface OperatingPoint extends LesionRule {
  /** Reference lesions that are found. */
  readonly found: Rate;
  /** Predicted lesions that are false, in all patients together. */
  readonly falseLesions: number;
  /** Of its lesions; absent where too few are true or false. */
  readonly lesion?: LesionCalibration;
}

export type OperatingPoints = Readonly<Record<OperatingPointName, OperatingPoint>>;

interface Candidate extends OperatingPoint {
  readonly judged: readonly JudgedRule[];
  /** Lesions in the pairs without change. */
  readonly elsewhere: number;
}

/**
 * @param tuned the rule of `default`, one of the grid of THRESHOLDS and MIN_VOLUMES
 * @param samples the patients; at least one reference lesion in all
 * @param unchanged pairs without change: their lesions, all false, count in the choice and nowhere else
 */
export function operatingPoints(
  samples: readonly CalibrationSample[],
  tuned: LesionRule,
  unchanged: readonly CalibrationSample[] = [],
): OperatingPoints {
  const all = THRESHOLDS.flatMap((_, t) =>
    MIN_VOLUMES.map((__, v) => candidate(samples, unchanged, t, v)),
  );
  const asTuned = all.find(
    ({ threshold, minLesionVolume }) =>
      threshold === tuned.threshold && minLesionVolume === tuned.minLesionVolume,
  )!;
  const best = (beta: number) => all.reduce((a, b) => (fScore(b, beta) > fScore(a, beta) ? b : a));
  return {
    default: withLesions(asTuned),
    sensitive: withLesions(best(BETA.sensitive)),
    "few-false-alarms": withLesions(best(BETA["few-false-alarms"])),
  };
}

function candidate(
  samples: readonly CalibrationSample[],
  unchanged: readonly CalibrationSample[],
  t: number,
  v: number,
): Candidate {
  const judged = samples.map(({ rules }) => rules[t]![v]!);
  const sum = (of: (rule: JudgedRule) => number) => judged.reduce((n, rule) => n + of(rule), 0);
  const of = samples.reduce((n, { reference }) => n + reference, 0);
  const falseLesions = sum(({ lesions }) => lesions.filter(({ isTrue }) => !isTrue).length);
  const found = { right: sum(({ hits }) => hits), of };
  return {
    threshold: THRESHOLDS[t]!,
    minLesionVolume: MIN_VOLUMES[v]!,
    found,
    falseLesions,
    judged,
    elsewhere: unchanged.reduce((n, { rules }) => n + rules[t]![v]!.lesions.length, 0),
  };
}

/** (1 + β²) P S / (β² P + S) of all patients' lesions together: β > 1 asks for sensitivity. */
function fScore({ found, falseLesions, judged, elsewhere }: Candidate, beta: number): number {
  const predicted = judged.reduce((n, { lesions }) => n + lesions.length, elsewhere);
  if (predicted === 0 || found.of === 0) return 0;
  const precision = 1 - (falseLesions + elsewhere) / predicted;
  const sensitivity = found.right / found.of;
  const weighted = beta * beta * precision + sensitivity;
  return weighted > 0 ? ((1 + beta * beta) * precision * sensitivity) / weighted : 0;
}

function withLesions({ judged, elsewhere, ...point }: Candidate): OperatingPoint {
  const lesion = fitLesions(judged.flatMap(({ lesions }) => lesions));
  return lesion ? { ...point, lesion } : point;
}
