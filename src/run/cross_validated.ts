/** The table over all folds of a cross-validation: a network that never saw a patient scores it. */
import { join } from "node:path";
import { UserError } from "../core/errors";
import { tuneDecision } from "../decision/choose_thresholds";
import { rateText } from "../decision/decision_text";
import { nestedOutcome, type Outcome } from "../decision/held_out_decision";
import { summariseCohort } from "../eval/cohort_scores";
import { cohortCsv } from "../eval/report_files";
import type { Metric } from "../eval/scores";
import { mean } from "../eval/statistics";
import { writeAtomically } from "../platform/atomic_file";
import { duration } from "../terminal/progress";
import { table } from "../terminal/text_table";
import type { CrossValidation } from "./cross_validation";
import { storedBest } from "./decide";
import { cohortTables } from "./score_tables";
import { readValidation, type ValidationRecord } from "./validation_record";

/** Writes `cross_validation.txt`, `.csv` and `.json` into the folder; gives the text. */
export function writeCrossValidated({ path, folds }: CrossValidation): string {
  const records = folds.map((fold) => {
    const record = readValidation({ path: fold });
    if (record) return record;
    throw new UserError(`${fold}: has no validation.json; finish it by --resume ${fold}`);
  });
  const patients = records.flatMap((record) => record.patients);
  const pairs = patients.map(({ id, reference, prediction }) => ({
    ...{ patient: id, reference, prediction },
  }));
  const summary = summariseCohort(patients);
  const sweeps = folds.map((fold) => storedBest({ path: fold }));
  const nested = nestedOutcome(sweeps);
  const text = [
    "Each patient is scored by the fold that did not train on it, with the weights of the last",
    "iteration (not the best, which are chosen by these very patients).",
    "",
    ...foldLines(records),
    "",
    cohortTables(pairs, patients, summary),
    "",
    ...thresholdLines(nested),
    "",
  ].join("\n");
  const thresholds = { ...nested, decision: tuneDecision(sweeps.flat()) };
  const foldRecords = records.map((record, fold) => ({ fold, ...record }));
  const json = { format: 1, summary, thresholds, folds: foldRecords };
  writeAtomically(join(path, "cross_validation.txt"), text);
  writeAtomically(join(path, "cross_validation.csv"), cohortCsv(pairs, patients));
  writeAtomically(join(path, "cross_validation.json"), `${JSON.stringify(json, null, 2)}\n`);
  return text;
}

/** The scores of thresholds that are tuned on the other folds, and of the defaults. */
function thresholdLines({ tuned, defaults }: ReturnType<typeof nestedOutcome>): string[] {
  const number = (value: number) => (Number.isNaN(value) ? "–" : value.toFixed(3));
  const row = (name: string, { f1, dice, falseLesions, ...patients }: Outcome) => [
    ...[name, number(f1), number(dice), number(falseLesions)],
    ...[rateText(patients.sensitivity), rateText(patients.specificity)],
  ];
  const head = ["best weights", "F1", "Dice", "false lesions", "with: yes", "without: no"];
  return [
    ...table([head, row("0.5, 3 mm³", defaults), row("tuned on the other folds", tuned)], [0]),
    "(F1 and Dice of the patients with new lesions; false lesions per patient without; the answer to",
    `"any new lesion?" for either kind)`,
  ];
}

/** Means of each fold by itself: how much they depend on who trains. */
function foldLines(records: readonly ValidationRecord[]): string[] {
  const shown = ["Dice", "F1_score"] satisfies Metric[];
  return records.map(({ iteration, seconds, patients }, fold) => {
    const means = shown.map((metric) => {
      const values = patients.flatMap(({ scores }) => scores[metric] ?? []);
      return `${metric} ${values.length > 0 ? mean(values).toFixed(4) : "–"}`;
    });
    const length = `${iteration} iterations in ${duration(seconds)}`;
    return `fold ${fold}: ${patients.length} patients, ${means.join(", ")}; ${length}`;
  });
}
