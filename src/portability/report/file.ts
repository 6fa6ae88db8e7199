/** Reports in files. */
import { writeAtomically } from "../../platform/atomic_file";
import { readJsonFile } from "../../platform/json_file";
import { type Report, reportSchema } from "./schema";

/** @throws UserError naming the file and what is wrong with it */
export const readReport = (file: string): Report =>
  readJsonFile(file, reportSchema, "name a file of `bun run portability --json`");

export function writeReport(file: string, report: Report): void {
  writeAtomically(file, `${JSON.stringify(report)}\n`);
}
