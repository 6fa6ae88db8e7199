/** Safetensors files: read whole, and written so that a crash leaves each of them old or new. */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../core/errors";
import { decodeSafetensors, encodeSafetensors, type Safetensors } from "./safetensors";

/** Reads a safetensors file. @throws UserError if it cannot be read or is not well-formed. */
export function readSafetensors(path: string): Safetensors {
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
 */
export function writeSafetensors(...files: (Safetensors & { readonly path: string })[]): void {
  const temporary = files.map(({ path }) => `${path}.${process.pid}.tmp`);
  try {
    files.forEach((file, i) => {
      writeDurably(temporary[i]!, encodeSafetensors(file));
    });
    files.forEach(({ path }, i) => {
      renameSync(temporary[i]!, path);
    });
  } catch (error) {
    for (const path of temporary) rmSync(path, { force: true });
    throw writeError(files[0]?.path ?? "", error);
  }
  for (const folder of new Set(files.map(({ path }) => dirname(path)))) flushFolder(folder);
}

function writeDurably(path: string, bytes: Uint8Array): void {
  const descriptor = openSync(path, "w");
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the renames themselves durable; Windows can neither open nor flush a folder. */
function flushFolder(path: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  const reasons: Record<string, string> = {
    ENOSPC: "the disk is full",
    EACCES: "no permission",
    EROFS: "the file system is read-only",
    ENOENT: "the folder does not exist",
  };
  const reason = code === undefined ? undefined : reasons[code];
  if (reason === undefined) return error;
  return new UserError(`${path}: cannot be written (${reason}); choose another output folder`);
}
