/** The quality of a pair as lines for people. */
import { LEAST_SIMILARITY } from "../register/align";
import type { MeasuredPair, VisitQuality } from "./measured_pair";

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
const mm = (value: number) => Number(value.toPrecision(2)).toString();

/** A line for each visit, for how they lie on each other, and for how their brightness differs. */
export function qualityLines({ visits, alignment, coverage, drift }: MeasuredPair): string[] {
  const { similarity, residual } = alignment;
  const alike =
    similarity === undefined
      ? "similarity not known"
      : `similarity ${similarity.toFixed(2)} (${LEAST_SIMILARITY} or more is one head)`;
  const left = residual === undefined ? "" : `, residual ${percent(residual)} of the brightness`;
  const covered = coverage.shares.map(
    (share, i) =>
      `visit ${2 - i} covers ${percent(share)} of the ${coverage.of[i]} of visit ${i + 1}`,
  );
  return [
    ...visits.map((visit, i) => `visit ${i + 1}: ${visitText(visit)}`),
    `alignment: ${alike}${left}; ${covered.join(", ")}`,
    ...driftLines(drift),
  ];
}

function visitText({ voxelMm, sliceMm, brainMl, contrast, noise }: VisitQuality): string {
  const parts = [`voxels of ${voxelMm.map(mm).join(" × ")} mm`, `slices of ${mm(sliceMm)} mm`];
  if (brainMl !== undefined) parts.push(`brain ${brainMl.toFixed(0)} ml`);
  if (contrast !== undefined) parts.push(`fluid ${percent(contrast)} darker than the brain`);
  if (noise !== undefined) parts.push(`noise ${(100 * noise).toFixed(1)} % of its brightness`);
  return parts.join(", ");
}

function driftLines({ brightness, contrast }: MeasuredPair["drift"]): string[] {
  if (brightness === undefined || contrast === undefined) return [];
  return [
    `drift: visit 2 is ${brightness.toFixed(2)} times as bright, and for that its tissues differ ` +
      `${contrast.toFixed(2)} times as much`,
  ];
}
