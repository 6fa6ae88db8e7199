/** The package files that apt fetches, compared with the SHA-256 in the archive's signed index. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { DriverUnavailable } from "./driver";

export interface IndexedFile {
  readonly name: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/**
 * The lines of `apt-get --print-uris` with `Acquire::ForceHash=SHA256`.
 * @throws DriverUnavailable where the index has no SHA-256 of a file
 */
export function indexedFiles(output: string): IndexedFile[] {
  return [...output.matchAll(/^'[^'\n]*' (\S+) (\d+) *(\S*)$/gm)].map(([, name, bytes, hash]) => {
    const sha256 = /^SHA256:([0-9a-f]{64})$/.exec(hash!)?.[1];
    if (sha256 !== undefined && name === basename(name!)) {
      return { name: name!, bytes: Number(bytes), sha256 };
    }
    throw new DriverUnavailable(`the archive's index has no SHA-256 of ${name}`);
  });
}

/**
 * Paths of the files in `folder`.
 * @throws DriverUnavailable where one is missing, or is not the file that the index describes
 */
export async function verifiedFiles(
  folder: string,
  files: readonly IndexedFile[],
): Promise<string[]> {
  const paths: string[] = [];
  for (const { name, bytes, sha256 } of files) {
    const path = join(folder, name);
    const data = await readFile(path).catch(() => undefined);
    if (!data) throw new DriverUnavailable(`apt did not bring ${name}`);
    const found = createHash("sha256").update(data).digest("hex");
    if (data.length !== bytes || found !== sha256) {
      throw new DriverUnavailable(
        `${name} is not the file of the archive's signed index (SHA-256 ${found.slice(0, 8)}…, expected ` +
          `${sha256.slice(0, 8)}…); nothing of it was unpacked`,
      );
    }
    paths.push(path);
  }
  return paths;
}
