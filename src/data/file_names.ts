/** Names of files and of patients as people mean them. */

/** A name in Unicode's composed form: macOS stores é as an e and an accent, others as one letter. */
export const composed = (name: string): string => name.normalize("NFC");

/**
 * The name of a NIfTI file without its extension, composed: `.nii` or `.nii.gz` in upper or lower case.
 * Undefined for any other name.
 */
export function niftiStem(name: string): string | undefined {
  const stem = /^(.+)\.nii(\.gz)?$/i.exec(name)?.[1];
  return stem === undefined ? undefined : composed(stem);
}

/** The names in a folder that are the image of a stem: one at most, or `.nii.gz` before `.nii`. */
export function imagesOf(inside: readonly string[], stem: string): string[] {
  const found = inside.filter((name) => niftiStem(name) === composed(stem));
  return found.sort((a, b) => b.length - a.length);
}

/**
 * The ids that a list names. An id may hold commas, at which lists are cut: then several parts of the
 * list are one id. Spaces around commas do not count, nor how letters are composed.
 * @param parts of a list, cut at commas
 * @returns the ids, and the parts that are none
 */
export function idsNamed(
  parts: readonly string[],
  ids: readonly string[],
): { readonly found: readonly string[]; readonly unknown: readonly string[] } {
  const plain = (id: string) =>
    composed(id)
      .split(",")
      .map((part) => part.trim())
      .join();
  const byName = new Map(ids.map((id) => [plain(id), id]));
  const found: string[] = [];
  const unknown: string[] = [];
  for (let first = 0; first < parts.length; ) {
    let end = parts.length;
    while (end > first + 1 && !byName.has(plain(parts.slice(first, end).join()))) end--;
    const name = parts.slice(first, end).join();
    const id = byName.get(plain(name));
    if (id === undefined) unknown.push(name);
    else found.push(id);
    first = end;
  }
  return { found, unknown };
}
