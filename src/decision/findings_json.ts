/** The findings in a probability map as JSON, for programs. */
import type { Findings } from "./findings";

/** Facts about the two visits for the report. */
export interface VisitFacts {
  /** Voxels, contrast, noise, coverage, and the reservations: any makes the pair unfit. */
  readonly quality?: { readonly reservations: readonly string[] };
  readonly registration?: object;
  /** Scanner, series and date of each visit that was DICOM. */
  readonly acquisitions?: readonly (object | null)[];
}

/**
 * Names and meanings are a contract; `format` rises when one changes.
 * @param weights names of the weights files
 * @param facts about the visits, where they are known
 */
export function findingsJson(
  findings: Findings,
  weights: readonly string[],
  facts: VisitFacts = {},
): string {
  const { mask, lesions, dropped, outside, rule, point, newLesions, patient } = findings;
  const report = {
    format: 2,
    weights,
    ...facts,
    /** Whether "newLesions" may be taken at its word. */
    fit: facts.quality && facts.quality.reservations.length === 0,
    newLesions,
    patientRule: patient && { ...patient.rule, massHere: patient.mass },
    operatingPoint: point,
    lesionRule: rule,
    lesions,
    droppedComponents: dropped,
    /** Where no lesion may lie: docs/guides/inference.md, "The brain". */
    leftOut: outside,
    voxels: mask.data.reduce((sum, value) => sum + value, 0),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}
