/** Files that a command writes beside its images. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { UserError } from "../core/errors";

/** Before long work. @throws UserError when the file's folder is not there */
export function checkFolderOf(path: string): void {
  if (existsSync(dirname(path))) return;
  throw new UserError(`${path}: cannot be written: its folder does not exist; create it first`);
}

/** @throws UserError when the file cannot be written */
export async function writeText(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((error: Error) => {
    throw new UserError(`${path}: cannot be written (${error.message}); choose another path`);
  });
}
