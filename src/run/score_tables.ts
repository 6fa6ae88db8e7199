/** The tables that `evaluate` prints. */
import type { MaskPair } from "../data/mask_folders";
import type { CohortSummary } from "../eval/cohort_scores";
import type { Verdict } from "../eval/lesion_detection";
import type { Lesion, SmallComponents } from "../eval/lesions";
import {
  type Evaluation,
  type EvaluationSettings,
  METRICS,
  type Metric,
  UNITS,
} from "../eval/scores";
import type { Estimate } from "../eval/statistics";
import { table } from "../terminal/text_table";

const METRIC_WIDTH = Math.max(...METRICS.map((metric) => metric.length));

export function pairTables(result: Evaluation, settings: EvaluationSettings): string {
  const { truePositives: both, falseNegatives, falsePositives, voxelVolumeMm3 } = result;
  const ml = (voxels: number) => ((voxels * voxelVolumeMm3) / 1000).toFixed(3);
  const volumes = [both + falseNegatives, both + falsePositives, both].map(ml);
  const min = settings.rule.minVolumeMm3;
  return [
    ...METRICS.filter((metric) => result.scores[metric] !== null).map(
      (metric) => `${metric.padEnd(METRIC_WIDTH)}  ${withUnit(metric, result.scores[metric]!)}`,
    ),
    ...(result.lesionFree ? ["(the reference is empty: nothing else is defined)"] : []),
    "",
    `volume: reference ${volumes[0]} ml, predicted ${volumes[1]} ml, both ${volumes[2]} ml`,
    ...lesionTable("Reference lesions", result.referenceLesions, ["found", "missed"]),
    ...tooSmall(result.smallInReference, min),
    ...lesionTable("Predicted lesions", result.predictedLesions, ["true", "false"]),
    ...tooSmall(result.smallInPrediction, min),
    ...legend(result, settings),
  ].join("\n");
}

function legend(result: Evaluation, { connectivity, rule }: EvaluationSettings): string[] {
  if (result.referenceLesions.length + result.predictedLesions.length === 0) return [];
  const touching = { 6: "faces", 18: "faces or edges", 26: "faces, edges or corners" };
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  return [
    "",
    `A lesion is larger than ${rule.minVolumeMm3} mm³, its voxels connected by ${touching[connectivity]}.`,
    `It is found (true) when more than ${percent(rule.alpha)} of it lies in lesions of the other mask (column`,
    `"overlap") and none of the largest of these, up to ${percent(rule.gamma)} of the overlap, "spills": has`,
    `more than ${percent(rule.beta)} of its volume outside all lesions.`,
  ];
}

function tooSmall({ components, volumeMm3 }: SmallComponents, min: number): string[] {
  if (components === 0) return [];
  return [
    `and ${components} of ${min} mm³ or less (${volumeMm3.toFixed(1)} mm³ in all), not counted`,
  ];
}

type Words = readonly [detected: string, not: string];

function lesionTable(title: string, lesions: readonly Lesion[], words: Words): string[] {
  const head = ["no.", "", "volume/mm³", "overlap", "right/mm", "anterior/mm", "superior/mm"];
  const rows = lesions.map((lesion) => [
    String(lesion.id),
    verdictWords(lesion.verdict, words),
    lesion.volumeMm3.toFixed(1),
    `${(100 * lesion.overlap).toFixed(1)} %`,
    ...lesion.centreMm.map((mm) => mm.toFixed(1)),
  ]);
  if (rows.length === 0) return ["", `${title}: none`];
  return ["", title, ...table([head, ...rows], [1])];
}

function verdictWords(verdict: Verdict, [detected, not]: Words): string {
  switch (verdict) {
    case "detected":
      return detected;
    case "overlap":
      return not;
    case "outside":
      return `${not}: spills`;
    default:
      throw new Error(verdict satisfies never);
  }
}

export function cohortTables(
  pairs: readonly MaskPair[],
  results: readonly Evaluation[],
  summary: CohortSummary,
): string {
  const { withLesions, lesionFree } = summary;
  const kinds = [false, true].map((free) =>
    pairs.flatMap(({ patient }, i) =>
      results[i]!.lesionFree === free ? [[patient, results[i]!] as const] : [],
    ),
  );
  const lines = [
    ...patientTable("Patients with new lesions", kinds[0]!, PER_PATIENT),
    ...patientTable("Patients without new lesions", kinds[1]!, LESION_FREE),
    ...summaryTable(summary),
    "",
    `any lesion predicted: ${withLesions.withPrediction} of ${withLesions.patients} patients ` +
      `with new lesions, ${lesionFree.withPrediction} of ${lesionFree.patients} without`,
  ];
  return lines.slice(1).join("\n");
}

/** Columns that fit a terminal; the CSV has all. */
const PER_PATIENT = {
  Dice: "Dice",
  Sensitivity: "Sensit.",
  PPV: "PPV",
  RelativeVolumeError: "Vol.err./%",
  HausdorffDistance: "Hausd./mm",
  SurfaceDistance: "Surf./mm",
  PPVL: "PPVL",
  SensL: "SensL",
  F1_score: "F1_score",
} satisfies Partial<Record<Metric, string>>;
const LESION_FREE = {
  NbTestedLesions: "NbTestedLesions",
  VolTestedLesions: "VolTestedLesions/mm³",
} satisfies Partial<Record<Metric, string>>;

function patientTable(
  title: string,
  patients: readonly (readonly [string, Evaluation])[],
  columns: Partial<Record<Metric, string>>,
): string[] {
  if (patients.length === 0) return [];
  const metrics = Object.keys(columns) as Metric[];
  const rows = patients.map(([patient, { scores }]) => [
    patient,
    ...metrics.map((metric) => (scores[metric] === null ? "–" : number(metric, scores[metric]))),
  ]);
  return ["", title, ...table([["patient", ...Object.values(columns)], ...rows], [0])];
}

function summaryTable({ metrics, bootstrap }: CohortSummary): string[] {
  const percent = `${100 * bootstrap.confidence} %`;
  const rows = METRICS.flatMap((metric) => {
    const summary = metrics[metric];
    if (!summary) return [];
    const cells = [summary.mean, summary.median].flatMap((each) => estimate(metric, each));
    const unit = UNITS[metric] ? `${metric}/${UNITS[metric]}` : metric;
    return [[unit, String(summary.patients), ...cells]];
  });
  const head = ["", "patients", "mean", percent, "median", percent];
  return [
    "",
    `All patients (intervals: percentile bootstrap, patients resampled ${bootstrap.resamples} times)`,
    ...table([head, ...rows], [0]),
  ];
}

function estimate(metric: Metric, { value, interval }: Estimate): [string, string] {
  const range = interval?.map((bound) => number(metric, bound)).join(" – ");
  return [number(metric, value), range ?? ""];
}

const withUnit = (metric: Metric, value: number): string =>
  `${number(metric, value)}${UNITS[metric] ? ` ${UNITS[metric]}` : ""}`;

/** Shares to 4 digits, percentages, mm and mm³ to two; a count of lesions as it is. */
function number(metric: Metric, value: number): string {
  const digits = UNITS[metric] === undefined ? 4 : 2;
  return metric === "NbTestedLesions" && Number.isInteger(value)
    ? String(value)
    : value.toFixed(digits);
}
