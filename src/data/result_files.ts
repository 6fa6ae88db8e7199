/** Results that a reader has finished, as pairs to train on. */
import { join } from "node:path";
import { z } from "zod";
import { readJsonFile } from "../platform/json_file";
import { RESULT_FILES } from "./result_names";

/** As much of `decisions.json` as says whether the reader is done. */
const readingSchema = z.object({ finished: z.string().nullable() });

/** The files of a pair that somebody has read. */
export interface ReadPair {
  readonly time1: string;
  readonly time2: string;
  /** The corrected mask. */
  readonly truth: string;
}

/**
 * A result's pair, where a reader has finished it.
 * @param inside names in the folder
 * @returns undefined where the folder is no result; why it cannot be used where nobody has finished it
 * @throws UserError for a file of decisions that cannot be read
 */
export function readPairOf(
  folder: string,
  inside: readonly string[],
): ReadPair | string | undefined {
  const { record, decisions, corrected, visit1, visit2 } = RESULT_FILES;
  if (!inside.includes(record)) return undefined;
  if (!inside.includes(decisions)) return "a result that nobody has read";
  const path = join(folder, decisions);
  const { finished } = readJsonFile(path, readingSchema, "restore it, or move the folder away");
  if (finished === null) return "a result whose reading is not finished";
  const missing = [corrected, visit1, visit2].filter((name) => !inside.includes(name));
  if (missing.length > 0) return `a result without ${missing.join(" and ")}`;
  return {
    time1: join(folder, visit1),
    time2: join(folder, visit2),
    truth: join(folder, corrected),
  };
}
