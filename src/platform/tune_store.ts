/** The tuner's findings on disk: a JSON file each, so that several processes never share one. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically } from "./atomic_file";
import { cacheDir, makeCacheFolder } from "./cache";

export class FileTuneStore {
  /** @param warn gets a line where a file cannot be read or written; nothing fails for that */
  constructor(
    readonly warn: (line: string) => void,
    readonly folder: string = cacheDir("tune"),
  ) {}

  path(key: string): string {
    return join(this.folder, `${key}.json`);
  }

  /** The value of a key; undefined if there is none, or none that can be read. */
  async read(key: string): Promise<unknown> {
    const path = this.path(key);
    try {
      return JSON.parse(await readFile(path, "utf8")) as unknown;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") this.warn(`${path}: ignored, and tuned again: ${message}`);
      return undefined;
    }
  }

  /** Renamed into place when complete: a reader sees the whole file or none, the last writer wins. */
  async write(key: string, value: object): Promise<void> {
    const path = this.path(key);
    try {
      makeCacheFolder(this.folder);
      writeAtomically(path, `${JSON.stringify(value, null, 1)}\n`);
    } catch (error) {
      this.warn(`${path}: not kept for the next run: ${(error as Error).message}`);
    }
  }
}
