/** Bounds of what is taken as one examination. */
import { readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { refuseTooMuch } from "./limits";

/** dcm2niix goes as deep. */
const DEEPEST = 9;

/**
 * Checks a folder and those in it before dcm2niix reads them.
 * @throws UserError for too much, and for empty files: a copy that failed leaves such
 */
export function checkFolder(path: string): void {
  let [files, bytes] = [0, 0];
  const walk = (folder: string, depth: number): void => {
    for (const name of readdirSync(folder)) {
      const inside = join(folder, name);
      const status = statusOf(inside);
      if (status?.isDirectory() && depth < DEEPEST) walk(inside, depth + 1);
      if (!status?.isFile()) continue;
      if (status.size === 0 && /\.(dcm|ima)$/i.test(name)) {
        throw new UserError(`${inside}: is empty; copy the folder again from its source`);
      }
      files += 1;
      bytes += status.size;
      refuseTooMuch(path, files, bytes);
    }
  };
  try {
    walk(path, 0);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: cannot be read (${(error as Error).message})`);
  }
}

function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined; // A link to nowhere.
  }
}
