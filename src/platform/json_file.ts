/** Text and JSON files that are read whole; what cannot be used is refused in one line. */
import { readFileSync } from "node:fs";
import { UserError } from "../core/errors";
import { parseJson, type Schema } from "../core/json";

/** @throws UserError when the file is gone or cannot be read */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`${path}: cannot be read (${(error as Error).message})`);
  }
}

/** @throws UserError when the file cannot be read, or holds something else, with this remedy */
export function readJsonFile<T>(path: string, schema: Schema<T>, remedy: string): T {
  return parseJson(readTextFile(path), schema, path, remedy);
}
