/** Safetensors files: read whole, and written so that a crash leaves each of them old or new. */
import { readFileSync } from "node:fs";
import { UserError } from "../core/errors";
import { writeAllAtomically } from "../platform/atomic_file";
import { inputFileSize } from "../platform/input_file";
import { decodeSafetensors, encodeSafetensors, type Safetensors } from "./safetensors";

/** Reads a safetensors file. @throws UserError if it cannot be read or is not well-formed. */
export function readSafetensors(path: string): Safetensors {
  inputFileSize(path, "a .safetensors file of weights");
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : `${error}`;
    throw new UserError(`${path}: cannot be read (${reason}); check the path`);
  }
  return decodeSafetensors(bytes, path);
}

/**
 * Writes safetensors files so that a crash at any moment leaves each of them old or new, never
 * half: all are written beside their targets and flushed first, then renamed in the given order.
 * @throws UserError when one cannot be written; then none is replaced
 */
export function writeSafetensors(...files: (Safetensors & { readonly path: string })[]): void {
  writeAllAtomically(files.map((file) => ({ path: file.path, data: encodeSafetensors(file) })));
}
