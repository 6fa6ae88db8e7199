/** The JSON and CSV reports of `evaluate`, for programs. */
import type { MaskPair, MaskPairs } from "../data/mask_folders";
import type { CohortSummary } from "./cohort_scores";
import type { Lesion } from "./lesions";
import type { Reliability } from "./reliability";
import { type Evaluation, type EvaluationSettings, METRICS } from "./scores";

/** Names and meanings are a contract with scripts; it rises when one of them changes. */
const FORMAT = 2;

export function pairJson(
  { reference, prediction }: MaskPair,
  result: Evaluation,
  settings: EvaluationSettings,
  probabilities?: Reliability,
): string {
  const { referenceLesions, predictedLesions, sensL: _, ppvL: __, f1: ___, ...rest } = result;
  const report = {
    format: FORMAT,
    reference,
    prediction,
    ...settings,
    ...rest,
    referenceLesions: listed(referenceLesions, "found"),
    predictedLesions: listed(predictedLesions, "truePositive"),
    probabilities,
  };
  return JSON.stringify(report, null, 2);
}

const listed = (lesions: readonly Lesion[], detected: string) =>
  lesions.map((lesion) => ({ ...lesion, [detected]: lesion.verdict === "detected" }));

export function cohortJson(
  folders: { readonly references: string; readonly predictions: string },
  { pairs, onlyReference, onlyPrediction }: MaskPairs,
  results: readonly Evaluation[],
  summary: CohortSummary,
  settings: EvaluationSettings,
  probabilities?: Reliability,
): string {
  const report = {
    format: FORMAT,
    ...folders,
    ...settings,
    summary,
    probabilities,
    unmatched: { references: onlyReference, predictions: onlyPrediction },
    patients: pairs.map((pair, i) => {
      const { scores, lesionFree } = results[i]!;
      return { ...pair, lesionFree, scores, ...lesionCounts(results[i]!) };
    }),
  };
  return JSON.stringify(report, null, 2);
}

function lesionCounts({ referenceLesions, predictedLesions }: Evaluation) {
  const detected = (lesions: readonly Lesion[]) =>
    lesions.filter(({ verdict }) => verdict === "detected").length;
  return {
    referenceLesions: referenceLesions.length,
    foundLesions: detected(referenceLesions),
    predictedLesions: predictedLesions.length,
    trueLesions: detected(predictedLesions),
  };
}

const COUNTS = ["referenceLesions", "foundLesions", "predictedLesions", "trueLesions"] as const;

/** RFC 4180: a row per patient, the metrics in report order, empty where one is not defined. */
export function cohortCsv(pairs: readonly MaskPair[], results: readonly Evaluation[]): string {
  const rows = pairs.map(({ patient, reference, prediction }, i) => {
    const result = results[i]!;
    const counts = lesionCounts(result);
    return [
      patient,
      ...METRICS.map((metric) => result.scores[metric] ?? ""),
      ...COUNTS.map((count) => counts[count]),
      reference,
      prediction,
    ];
  });
  const head = ["patient", ...METRICS, ...COUNTS, "reference", "prediction"];
  return [head, ...rows].map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}

function quoted(cell: string | number): string {
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
