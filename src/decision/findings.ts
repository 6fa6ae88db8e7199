/** The findings in a probability map: its lesions, and the answer to "any new lesion?". */
import type { Mask, Volume } from "../data/volume";
import type { Decision, PatientRule } from "./choose_thresholds";
import {
  DEFAULT_RULE,
  type FoundLesions,
  greatestMass,
  type LesionRule,
  lesionsOf,
} from "./found_lesions";

export interface Findings extends FoundLesions {
  readonly rule: LesionRule;
  /** Whether the patient has any new lesion: by the tuned rule, else whether the mask holds one. */
  readonly newLesions: boolean;
  /** The tuned rule, and the mass that it is about. */
  readonly patient?: { readonly rule: PatientRule; readonly mass: number };
}

/**
 * @param given goes before what was tuned
 * @param near where lesions may lie, on the grid of the map; what lies mostly outside is left out
 */
export function findingsOf(
  map: Volume,
  { lesions: tuned, patient }: Decision,
  given: Partial<LesionRule> = {},
  near?: Mask,
): Findings {
  const { threshold, minLesionVolume } = tuned ?? DEFAULT_RULE;
  const rule = {
    threshold: given.threshold ?? threshold,
    minLesionVolume: given.minLesionVolume ?? minLesionVolume,
  };
  const found = lesionsOf(map, rule, near);
  if (!patient) return { ...found, rule, newLesions: found.lesions.length > 0 };
  const mass = greatestMass(map, patient.threshold, near);
  return { ...found, rule, newLesions: mass >= patient.mass, patient: { rule: patient, mass } };
}
