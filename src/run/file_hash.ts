/** The hash by which weights files are named. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** SHA-256 of a file's bytes in hex, as `sha256sum` prints it. */
export const sha256Of = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");
