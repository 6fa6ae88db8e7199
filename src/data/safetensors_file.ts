/** Safetensors files: read whole, and written so that a crash leaves each of them old or new. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { UserError } from "../core/errors";
import { writeAllAtomically } from "../platform/atomic_file";
import { inputFileSize } from "../platform/input_file";
import {
  checksummed,
  compareChecksum,
  decodeSafetensors,
  encodeSafetensors,
  type Safetensors,
  type Sha256,
} from "./safetensors";

const sha256: Sha256 = (parts) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/**
 * Reads a safetensors file.
 * @throws UserError if it cannot be read, is not well-formed, or is not what its checksum says
 */
export function readSafetensors(path: string): Safetensors {
  inputFileSize(path, "a .safetensors file of weights");
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : `${error}`;
    throw new UserError(`${path}: cannot be read (${reason}); check the path`);
  }
  const contents = decodeSafetensors(bytes, path);
  if (contents.sha256 !== undefined) compareChecksum(contents, sha256(checksummed(contents)), path);
  return contents;
}

/**
 * Writes safetensors files so that a crash at any moment leaves each of them old or new, never
 * half: all are written beside their targets and flushed first, then renamed in the given order.
 * Each holds a checksum of its contents.
 * @throws UserError when one cannot be written; then none is replaced
 */
export function writeSafetensors(...files: (Safetensors & { readonly path: string })[]): void {
  writeAllAtomically(
    files.map(({ path, ...contents }) => ({ path, data: encodeSafetensors(contents, sha256) })),
  );
}
