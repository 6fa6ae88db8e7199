/** Paths as the file system sees them: through links, and where names differ in case alone. */
import { type BigIntStats, lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** Linux follows no more links in a row. */
const MOST_LINKS = 40;

/** The absolute path behind all links, also of what is not there yet. */
export function realPathOf(path: string, links = 0): string {
  try {
    return realpathSync(path);
  } catch {
    const target = links > MOST_LINKS ? undefined : linkTarget(path);
    if (target !== undefined) return realPathOf(resolve(dirname(path), target), links + 1);
    const folder = dirname(path);
    return folder === path ? resolve(path) : join(realPathOf(folder, links), basename(path));
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** Of what lies there, links followed; undefined where nothing does, or nobody may look. */
export function statusOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/** The nearest folder above a path that is there. */
export function nearestFolder(path: string): string {
  let folder = dirname(realPathOf(path));
  while (statusOf(folder) === undefined && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/**
 * Whether two paths lead to one file or folder, or would where they are not there yet.
 * @param anyCase whether names in a folder may be written in any case; a parameter for tests
 */
export function isSamePlace(a: string, b: string, anyCase = ignoresCase): boolean {
  const [one, two] = [realPathOf(a), realPathOf(b)];
  if (one === two) return true;
  const [first, second] = [statusOf(one), statusOf(two)];
  if (first && second)
    return first.ino !== 0n && first.dev === second.dev && first.ino === second.ino;
  if (first || second) return false;
  // Neither is there: on a file system that ignores case they may still be one.
  const folded = (path: string) => path.normalize("NFC").toLowerCase();
  return folded(one) === folded(two) && anyCase(nearestFolder(one));
}

/** Whether a folder's name may be written in any case. */
function ignoresCase(folder: string): boolean {
  const status = statusOf(folder);
  const other = statusOf(swappedCase(folder));
  return status !== undefined && other?.ino === status.ino && other.dev === status.dev;
}

const swappedCase = (path: string): string =>
  path.replace(/\p{L}/gu, (letter) => {
    const upper = letter.toUpperCase();
    return upper === letter ? letter.toLowerCase() : upper;
  });
