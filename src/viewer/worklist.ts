/** Results in folders: a folder that is one, or the patients in a folder. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { UserError } from "../core/errors";
import { answerSentence } from "../result/answer_text";
import { readingState } from "../result/decisions";
import { readDecisions } from "../result/decisions_file";
import { RESULT_FILES } from "../result/record";
import { readRecord } from "../result/result_folder";
import type { PatientEntry } from "./page/source";

/** Folders of results, in the order in which they are read. @throws UserError where there is none */
export function findResults(paths: readonly string[]): string[] {
  const folders = paths.flatMap(resultsIn);
  return [...new Set(folders.map((folder) => resolve(folder)))];
}

function resultsIn(path: string): string[] {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status) throw new UserError(`${path}: no such folder; name a result or a folder of results`);
  if (!status.isDirectory()) {
    throw new UserError(`${path}: is a file; name the folder that bun run predict --out-dir made`);
  }
  if (isResult(path)) return [path];
  const inside = readdirSync(path)
    .sort()
    .map((name) => join(path, name))
    .filter(isResult);
  if (inside.length > 0) return inside;
  throw new UserError(
    `${path}: holds no result (a folder with ${RESULT_FILES.record}); make one with bun run predict --out-dir`,
  );
}

const isResult = (path: string): boolean => existsSync(join(path, RESULT_FILES.record));

/** A line of the worklist. A result that cannot be used stands in it with the reason. */
export function entryOf(folder: string, id: string): PatientEntry {
  try {
    const record = readRecord(folder);
    const state = readingState(readDecisions(folder, record));
    return { id, patient: record.patient, answer: answerSentence(record), state };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { id, patient: basename(folder), answer: error.message, state: "unusable" };
  }
}
