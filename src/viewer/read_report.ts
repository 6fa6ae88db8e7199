/** The report of a reading, beside the one of the prediction. */
import { join } from "node:path";
import { readVolume } from "../data/nifti_read";
import { writeAtomically } from "../platform/atomic_file";
import { readDecisions } from "../result/decisions_file";
import { readResult } from "../result/read_result";
import { RESULT_FILES } from "../result/record";
import { reportOf } from "../result/report_of";
import { readCorrectedMask, readRecord, readResultMask } from "../result/result_folder";

/**
 * Writes the report of what a reader decided, and gives it. Without decisions it is that of the prediction.
 * @throws UserError where a file of the result cannot be used
 */
export async function writeReadReport(folder: string): Promise<string> {
  const record = readRecord(folder);
  const mask = await readResultMask(folder, record);
  const [visit1, visit2] = await Promise.all(
    (["visit1", "visit2"] as const).map((name) => readVolume(join(folder, record.files[name]))),
  );
  const result = { record, mask, visit1: visit1!, visit2: visit2! };
  const decisions = readDecisions(folder, record);
  const corrected = await readCorrectedMask(folder, mask);
  if (!decisions || !corrected) return reportOf(result);
  const html = reportOf(readResult(result, decisions, corrected));
  writeAtomically(join(folder, RESULT_FILES.readReport), html);
  return html;
}
