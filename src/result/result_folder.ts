/** The folder of a result: fixed names, written whole, `result.json` last. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { readMask } from "../data/nifti_read";
import { writeMask, writeVolume } from "../data/nifti_write";
import type { Mask } from "../data/volume";
import { writeAtomically } from "../platform/atomic_file";
import { readJsonFile } from "../platform/json_file";
import { checkedLabels, type Result, requireOneGrid } from "./parts";
import { RESULT_FILES, type ResultRecord, recordSchema } from "./record";
import { reportOf } from "./report_of";

/** What a prediction writes there; the reader's files stay apart. */
export const WRITTEN = (
  ["record", "mask", "visit1", "visit2", "probability", "change", "report"] as const
).map((name) => RESULT_FILES[name]);

/**
 * Refuses a folder in which a reader has decided already: a new prediction has other lesions.
 * @throws UserError naming the file
 */
export function checkResultFolder(folder: string): void {
  for (const name of [RESULT_FILES.decisions, RESULT_FILES.corrected]) {
    if (!existsSync(join(folder, name))) continue;
    throw new UserError(
      `--out-dir ${folder}: holds ${name}, a reader's decisions on an earlier result; name another folder`,
    );
  }
}

/** Writes a result's images, its report and its record. */
export async function writeResult(folder: string, result: Result): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const to = (name: string) => join(folder, name);
  const { record, visit1, visit2, mask, probability, change } = result;
  await Promise.all([
    writeMask(to(RESULT_FILES.mask), mask),
    writeVolume(to(RESULT_FILES.visit1), visit1),
    writeVolume(to(RESULT_FILES.visit2), visit2),
    probability && writeVolume(to(RESULT_FILES.probability), probability),
    change && writeVolume(to(RESULT_FILES.change), change),
  ]);
  writeAtomically(to(RESULT_FILES.report), reportOf(result));
  writeAtomically(to(RESULT_FILES.record), `${JSON.stringify(record, null, 2)}\n`);
}

/** @throws UserError where the folder holds no result, or one that was written by another version */
export function readRecord(folder: string): ResultRecord {
  const path = join(folder, RESULT_FILES.record);
  if (!existsSync(path)) {
    throw new UserError(
      `${folder}: no result (it has no ${RESULT_FILES.record}); name a folder that bun run predict --out-dir made`,
    );
  }
  return readJsonFile(path, recordSchema, "predict the pair again");
}

/** The mask of a result. @throws UserError where it is not the one that the record is about */
export async function readResultMask(folder: string, record: ResultRecord): Promise<Mask> {
  const path = join(folder, record.files.mask);
  const mask = await readMask(path);
  checkedLabels(mask, record, path);
  return mask;
}

/** @throws UserError where a corrected mask lies on another grid than the result's */
export async function readCorrectedMask(folder: string, mask: Mask): Promise<Mask | undefined> {
  const path = join(folder, RESULT_FILES.corrected);
  if (!existsSync(path)) return undefined;
  const corrected = await readMask(path);
  requireOneGrid(corrected, mask, path);
  return corrected;
}
