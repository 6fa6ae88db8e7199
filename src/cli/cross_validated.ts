/** The table over all folds of a cross-validation: every patient scored once, by a network that never saw it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { summariseCohort } from "../eval/cohort_scores";
import type { Metric } from "../eval/scores";
import { mean } from "../eval/statistics";
import type { CrossValidation } from "../train/cross_validation";
import { duration } from "../train/progress";
import { readValidation, type ValidationRecord } from "../train/validation_record";
import { cohortCsv } from "./evaluate_files";
import { cohortTables } from "./evaluate_tables";

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
  const text = [
    "Each patient is scored by the fold that did not train on it, with the weights of the last",
    "iteration (not the best, which are chosen by these very patients).",
    "",
    ...foldLines(records),
    "",
    cohortTables(pairs, patients, summary),
    "",
  ].join("\n");
  const json = { format: 1, summary, folds: records.map((record, fold) => ({ fold, ...record })) };
  writeFileSync(join(path, "cross_validation.txt"), text);
  writeFileSync(join(path, "cross_validation.csv"), cohortCsv(pairs, patients));
  writeFileSync(join(path, "cross_validation.json"), `${JSON.stringify(json, null, 2)}\n`);
  return text;
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
