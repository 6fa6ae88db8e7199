/** The findings in a probability map as JSON, for programs. */
import type { Findings } from "./findings";

/**
 * Names and meanings are a contract; `format` rises when one changes.
 * @param weights names of the weights files
 * @param registration of the two visits, where there was one
 */
export function findingsJson(
  findings: Findings,
  weights: readonly string[],
  registration?: object,
): string {
  const { mask, lesions, dropped, rule, newLesions, patient } = findings;
  const report = {
    format: 1,
    weights,
    registration,
    newLesions,
    patientRule: patient && { ...patient.rule, massHere: patient.mass },
    lesionRule: rule,
    lesions,
    droppedComponents: dropped,
    voxels: mask.data.reduce((sum, value) => sum + value, 0),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}
