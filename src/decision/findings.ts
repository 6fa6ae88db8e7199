/** The findings in a probability map: its lesions, and the answer to "any new lesion?". */
import { UserError } from "../core/errors";
import type { Mask, Volume } from "../data/volume";
import type { Calibration } from "./calibration";
import type { Decision, PatientRule } from "./choose_thresholds";
import {
  DEFAULT_RULE,
  type FoundLesions,
  greatestMass,
  type LesionRule,
  lesionsOf,
} from "./found_lesions";
import { calibrated, uncalibrated } from "./map_calibration";
import type { OperatingPointName } from "./operating_points";

export interface Findings extends FoundLesions {
  /** In the probabilities that are shown. */
  readonly rule: LesionRule;
  readonly point: OperatingPointName;
  /** Whether the patient has any new lesion: by the tuned rule, else whether the mask holds one. */
  readonly newLesions: boolean;
  /** The tuned rule, and the mass that it is about. */
  readonly patient?: { readonly rule: PatientRule; readonly mass: number };
}

/** Calibration and rule of the weights. */
export interface FindingsOptions {
  /** Goes before what was tuned; its threshold is about calibrated probabilities, where there are any. */
  readonly given?: Partial<LesionRule>;
  readonly calibration?: Calibration;
  /** Default "default". */
  readonly point?: OperatingPointName;
  /** Where lesions may lie, on the grid of the map; what lies outside is left out. */
  readonly allowed?: Mask;
}

/**
 * @param map as the network gives it
 * @throws UserError where the weights hold no such operating point
 */
export function findingsOf(
  map: Volume,
  decision: Decision,
  { given = {}, calibration, point = "default", allowed }: FindingsOptions = {},
): Findings {
  const { map: ofVoxels, points } = calibration ?? {};
  const base = ruleOf(decision, calibration, point);
  const { minLesionVolume = base.minLesionVolume } = given;
  const threshold =
    given.threshold === undefined ? base.threshold : uncalibrated(given.threshold, ofVoxels);
  const stored = points?.[point];
  const isStored = threshold === stored?.threshold && minLesionVolume === stored.minLesionVolume;
  const scale = { map: ofVoxels, lesion: isStored ? stored.lesion : undefined };
  const found = lesionsOf(map, { threshold, minLesionVolume }, allowed, scale);
  const shown = given.threshold ?? Number(calibrated(threshold, ofVoxels).toPrecision(4));
  const about = { ...found, rule: { threshold: shown, minLesionVolume }, point };
  const { patient } = decision;
  if (!patient) return { ...about, newLesions: found.lesions.length > 0 };
  const mass = greatestMass(map, patient.threshold, allowed);
  return { ...about, newLesions: mass >= patient.mass, patient: { rule: patient, mass } };
}

/**
 * The rule of an operating point in the network's own probabilities.
 * @throws UserError where the weights hold no such point
 */
export function ruleOf(
  { lesions: tuned }: Decision,
  calibration: Calibration | undefined,
  point: OperatingPointName,
): LesionRule {
  if (point === "default") return tuned ?? DEFAULT_RULE;
  const found = calibration?.points?.[point];
  if (found) return found;
  throw new UserError(
    `--operating-point ${point}: the weights hold none, or several files hold different ones; calibrate ` +
      "them (bun run weights calibrate), or give --threshold and --min-lesion-volume",
  );
}
