/** The most that is taken as one examination. A page may import it. */
import { UserError } from "../core/errors";

/** An examination of the head has some thousands. */
const MOST_FILES = 50_000;
const MOST_GIB = 4;

/** @throws UserError */
export function refuseTooMuch(path: string, files: number, bytes: number): void {
  if (files <= MOST_FILES && bytes <= MOST_GIB * 2 ** 30) return;
  throw new UserError(
    `${path}: holds more than ${MOST_FILES} files or ${MOST_GIB} GiB unpacked, more than one ` +
      "examination; give the folder of the FLAIR series",
  );
}
