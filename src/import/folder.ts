import { readdir } from "node:fs/promises";
import { UserError } from "../core/errors";

/**
 * The names in a folder, as the file system gives them.
 * @param layout what the importer expects, for the message
 * @param optional a folder that is not there counts as empty
 * @throws UserError when it cannot be listed
 */
export async function namesIn(path: string, layout: string, optional = false): Promise<string[]> {
  return readdir(path).catch(({ code, message }: NodeJS.ErrnoException) => {
    if (optional && (code === "ENOENT" || code === "ENOTDIR")) return [];
    const problem =
      code === "ENOENT" ? "no such folder" : code === "ENOTDIR" ? "is not a folder" : message;
    throw new UserError(`${path}: ${problem}; ${layout}`);
  });
}

/** What a folder holds, in a few words. */
export const contentsOf = (names: readonly string[]): string =>
  names.length === 0 ? "it is empty" : `it holds ${names.toSorted().slice(0, 5).join(", ")}`;

/** By the numbers in them: T2 before T10. */
export const byNumber = (a: string, b: string): number =>
  a.localeCompare(b, "en", { numeric: true });

/** @throws UserError when one of `only` is not there */
export function checkWanted(
  dir: string,
  ids: readonly string[],
  only: readonly string[] = [],
): void {
  const unknown = only.filter((id) => !ids.includes(id));
  if (unknown.length === 0) return;
  throw new UserError(
    `--patients: no ${unknown.join(", ")} in ${dir}; there are ${ids.join(", ")}`,
  );
}
