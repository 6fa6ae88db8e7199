/**
 * Writing of files that appear whole or not at all: aside, flushed, renamed. A crash at any moment
 * leaves the old file or the new one, and at worst a leftover that the next start sweeps.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../core/errors";
import { removeQuietly, sweepOnce, temporaryPath } from "./leftovers";
import { realPathOf } from "./real_path";

/** Text, bytes, or arrays that follow each other. */
export type FileData = string | Uint8Array | readonly ArrayBufferView[];

export interface NewFile {
  readonly path: string;
  readonly data: FileData;
}

export interface WriteOptions {
  /** Permissions of a new file, by default the process's; one that replaces another keeps its. */
  readonly mode?: number;
  /** False where a file that a power cut damaged is noticed and made again: it is not flushed. */
  readonly flush?: boolean;
}

/**
 * Writes a file. A symbolic link stays one: the file that it leads to is replaced. What is no
 * regular file, such as `/dev/stdout`, is written into.
 * @throws UserError naming the path and why it cannot be written
 */
export function writeAtomically(path: string, data: FileData, options?: WriteOptions): void {
  writeAllAtomically([{ path, data }], options);
}

/**
 * Writes several files: all aside first, then each gets its name, in this order.
 * @throws UserError as above; where one cannot be written, none is replaced
 */
export function writeAllAtomically(files: readonly NewFile[], options: WriteOptions = {}): void {
  const { flush = true } = options;
  const written: { readonly path: string; readonly temporary: string; readonly target: string }[] =
    [];
  let at = "";
  try {
    for (const { path, data } of files) {
      at = path;
      const old = statSync(path, { throwIfNoEntry: false });
      if (isWrittenInto(path, old)) {
        writeFileSync(path, joined(data), { flag: "a" });
        continue;
      }
      const target = realPathOf(path);
      const folder = dirname(target);
      sweepOnce(folder);
      const temporary = temporaryPath(folder);
      written.push({ path, temporary, target });
      writeNew(temporary, data, old, options);
    }
    for (const { path, temporary, target } of written) {
      at = path;
      renameSync(temporary, target);
    }
  } catch (error) {
    for (const { temporary } of written) removeQuietly(temporary);
    throw writeProblem(at, error);
  }
  if (!flush) return;
  for (const folder of new Set(written.map(({ target }) => dirname(target)))) flushFolder(folder);
}

/**
 * Writes a file where there is none: whole, and once, though several processes try in one moment.
 * @returns whether it was written; false where there is one
 * @throws UserError as above
 */
export function writeNewFile(path: string, data: FileData, options: WriteOptions = {}): boolean {
  const folder = dirname(path);
  sweepOnce(folder);
  const temporary = temporaryPath(folder);
  try {
    writeNew(temporary, data, undefined, options);
    if (!nameNew(temporary, path)) return false;
  } catch (error) {
    throw writeProblem(path, error);
  } finally {
    removeQuietly(temporary);
  }
  if (options.flush !== false) flushFolder(folder);
  return true;
}

/**
 * Gives a file a second name where there is no file of that name.
 * @returns whether it has it; false where there is one
 */
export function nameNew(from: string, to: string): boolean {
  try {
    return unlessThere(() => linkSync(from, to));
  } catch {
    // No hard links on this file system.
    return unlessThere(() => copyFileSync(from, to, constants.COPYFILE_EXCL));
  }
}

function unlessThere(put: () => void): boolean {
  try {
    put();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** A shell's redirection may lie behind /dev/stdout: replacing that file would lose all else in it. */
function isWrittenInto(path: string, old: Stats | undefined): boolean {
  return old !== undefined && (!old.isFile() || /^\/(dev|proc)\//.test(path));
}

function writeNew(
  path: string,
  data: FileData,
  old: Stats | undefined,
  { mode, flush = true }: WriteOptions,
): void {
  const descriptor = openSync(path, "wx", old ? old.mode & 0o777 : mode);
  try {
    if (old) keepOwner(descriptor, old);
    for (const part of partsOf(data)) {
      for (let at = 0; at < part.length; ) at += writeSync(descriptor, part, at);
    }
    if (flush) fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** As far as we may; the process's file mode mask does not count for a file that is replaced. */
function keepOwner(descriptor: number, { uid, gid, mode }: Stats): void {
  for (const keep of [
    () => fchownSync(descriptor, uid, gid),
    () => fchmodSync(descriptor, mode & 0o7777),
  ]) {
    try {
      keep();
    } catch {}
  }
}

function partsOf(data: FileData): Uint8Array[] {
  if (typeof data === "string") return [new TextEncoder().encode(data)];
  const parts = data instanceof Uint8Array ? [data] : data;
  return parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
}

const joined = (data: FileData): Uint8Array => Buffer.concat(partsOf(data));

/** Makes the renames themselves durable. Windows and some file systems cannot, and need not. */
function flushFolder(path: string): void {
  try {
    const descriptor = openSync(path, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {}
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist; create it first",
  ENOTDIR: "its folder is a file; choose another path",
  EISDIR: "is a folder; choose another path",
  EACCES: "no permission to write there; choose another path",
  EPERM: "no permission to write there; choose another path",
  EROFS: "the file system is read-only; choose another path",
  ENOSPC: "the disk is full; free some space",
  EDQUOT: "the disk quota is used up; free some space",
  ENAMETOOLONG: "its name is too long; choose a shorter one",
};

/** The system's error as a line for the user; other errors stay as they are. */
export function writeProblem(path: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof UserError || code === undefined || code.startsWith("ERR_")) return error;
  return new UserError(`${path}: cannot be written: ${REASONS[code] ?? message}`);
}
