/** The room that is left on a disk. */
import { statfsSync } from "node:fs";

/** Bytes that this process may still write into a folder; undefined where the file system does not tell. */
export function freeBytes(folder: string): number | undefined {
  try {
    const { blocks, bsize, bavail, bfree } = statfsSync(folder);
    if (blocks === 0) return undefined;
    return bsize * (process.getuid?.() === 0 ? bfree : bavail);
  } catch {
    return undefined;
  }
}
