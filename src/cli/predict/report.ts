/** The findings of `bun run predict` as lines for the terminal. */

import type { Calibration } from "../../decision/calibration";
import { leftOutText, rateText } from "../../decision/decision_text";
import type { Findings } from "../../decision/findings";
import type { LesionRule } from "../../decision/found_lesions";
import type { OperatingPointName } from "../../decision/operating_points";
import type { PairAnswer } from "../../infer/answer";
import type { PairQuality } from "../../quality/pair_quality";
import { table } from "../../terminal/text_table";

/** The thresholds in use, their origins, and whether probabilities are calibrated. */
export function ruleText(
  { findings: { rule, point }, decision: { lesions: tuned }, calibration }: Answer,
  given: Partial<LesionRule>,
  files: number,
): string {
  const own = point === "default" ? (tuned ? "tuned" : "the default") : point;
  const origins = (["threshold", "minLesionVolume"] as const).map((name) =>
    given[name] === undefined ? own : "as given",
  );
  const same = origins[0] === origins[1];
  const [first, second] = origins.map((origin) => ` (${origin})`);
  const values =
    `thresholds: probability ${rule.threshold} or more${same ? "" : first}, volume above ` +
    `${rule.minLesionVolume} mm³${second}`;
  return `${values}; ${worth(point, tuned, calibration, files)}\n${calibrationText(calibration, files)}`;
}

type Answer = Pick<PairAnswer, "findings" | "decision" | "calibration">;

/** What the rule gave on patients that were left out. */
function worth(
  point: OperatingPointName,
  tuned: Answer["decision"]["lesions"],
  calibration: Calibration | undefined,
  files: number,
): string {
  const stored = calibration?.points?.[point];
  if (point !== "default" && stored) {
    return (
      `on ${calibration!.patients} left-out patients this point found ${rateText(stored.found)} lesions, ` +
      `with ${stored.falseLesions} false ones`
    );
  }
  if (!tuned) return `${files > 1 ? "no file holds" : "the file holds no"} tuned ones`;
  const { patients, f1, dice } = tuned;
  return (
    `on ${patients} validation patients with new lesions the tuned ones gave lesion ` +
    `F1 ${f1.toFixed(3)}, Dice ${dice.toFixed(3)}`
  );
}

function calibrationText(calibration: Calibration | undefined, files: number): string {
  if (!calibration) {
    const why = files > 1 ? "the files share no calibration" : "the weights are not calibrated";
    return `${why}: a lesion has a score, which is no probability`;
  }
  const how = calibration.map ? calibration.map.kind : "none is better than the network's own";
  return `calibrated on ${calibration.patients} left-out patients: ${how}`;
}

/** A "no" of visits that are not fit to be compared is none. */
function answerText(newLesions: boolean, { reservations }: Reserved): string {
  if (reservations.length === 0) return newLesions ? "yes" : "no";
  const found = newLesions ? "yes" : "none was found, which does not mean that there is none";
  return `${found}; the visits are not fit for the question, as said above`;
}

type Reserved = Pick<PairQuality, "reservations">;

/** The answer for the patient, and a table of lesions. */
export function findingsText(findings: Findings, quality: Reserved): string {
  const { lesions, dropped, outside, newLesions, patient } = findings;
  const volume = lesions.reduce((sum, { volumeMm3 }) => sum + volumeMm3, 0);
  const lines = [`any new lesion: ${answerText(newLesions, quality)}`];
  if (patient) {
    const { rule, mass } = patient;
    lines.push(
      `  the heaviest component of probability ${rule.threshold} or more has a mass of ` +
        `${mass.toFixed(1)} mm³ (probability × volume); yes means ${rule.mass} mm³ or more`,
      `  this rule was right for ${rateText(rule.sensitivity)} validation patients with new lesions ` +
        `and ${rateText(rule.specificity)} without`,
    );
  } else lines.push("  yes means that the mask holds a lesion; no rule for patients was tuned");
  const small = dropped > 0 ? `; ${dropped} components too small` : "";
  const count = `${lesions.length} ${lesions.length === 1 ? "lesion" : "lesions"}`;
  lines.push(`mask: ${count}, ${volume.toFixed(1)} mm³${small}`);
  if (outside) lines.push(leftOutText(outside));
  return [...lines, ...lesionTable(findings)].join("\n");
}

/** More rows than this say little on a terminal: --report has all of them. */
const MOST_ROWS = 20;

function lesionTable({ lesions }: Findings): string[] {
  if (lesions.length === 0) return [];
  const rows = lesions
    .slice(0, MOST_ROWS)
    .map(({ volumeMm3, meanProbability, probability, centreMm }, i) => [
      String(i + 1),
      volumeMm3.toFixed(1),
      (probability ?? meanProbability).toFixed(2),
      ...centreMm.map((mm) => mm.toFixed(1)),
    ]);
  // Of all lesions or of none: it is a property of the rule.
  const column = lesions[0]!.probability === undefined ? "score" : "probability";
  const head = ["no.", "volume/mm³", column, "right/mm", "anterior/mm", "superior/mm"];
  const more = lesions.length - rows.length;
  const rest = more > 0 ? [`and ${more} smaller ones (--report lists all)`] : [];
  return ["", ...table([head, ...rows]), ...rest];
}
