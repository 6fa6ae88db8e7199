/** Decisions and corrected mask on disk, beside the result that they are about. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip, type ZlibOptions } from "node:zlib";
import { UserError } from "../core/errors";
import { encodeNifti } from "../data/nifti_encode";
import type { Mask } from "../data/volume";
import { writeAllAtomically } from "../platform/atomic_file";
import { readJsonFile } from "../platform/json_file";
import { type Decisions, decisionsSchema } from "./decisions";
import { RESULT_FILES, type ResultRecord } from "./record";

const deflate = promisify<Uint8Array, ZlibOptions, Uint8Array>(gzip);

/** @throws UserError for a file that cannot be used, or of an earlier result in this folder */
export function readDecisions(folder: string, { created }: ResultRecord): Decisions | undefined {
  const path = join(folder, RESULT_FILES.decisions);
  if (!existsSync(path)) return undefined;
  const decisions = readJsonFile(path, decisionsSchema, "move it away to decide anew");
  if (decisions.result === created) return decisions;
  throw new UserError(
    `${path}: is about a result of ${decisions.result}, this one is of ${created}; move it away to decide anew`,
  );
}

/** Writes both, whole and together. The mask has the grid of the result's. */
export async function writeDecisions(
  folder: string,
  decisions: Decisions,
  corrected: Mask,
): Promise<void> {
  const path = join(folder, RESULT_FILES.corrected);
  const bytes = await deflate(encodeNifti(corrected, corrected.data, path), { level: 3 });
  const json = `${JSON.stringify(decisions, null, 2)}\n`;
  writeAllAtomically([
    { path, data: bytes },
    { path: join(folder, RESULT_FILES.decisions), data: json },
  ]);
}
