/** Files that a command writes beside its images. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../core/errors";

/** Before long work. @throws UserError when the file's folder is not there */
export function checkFolderOf(path: string): void {
  if (existsSync(dirname(path))) return;
  throw new UserError(`${path}: cannot be written: its folder does not exist; create it first`);
}
