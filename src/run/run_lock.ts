/** Keeps two processes from training in one run folder. */
import {
  constants,
  copyFileSync,
  linkSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { removeQuietly, sweepOnce, temporaryPath } from "../platform/leftovers";

const ownerSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  since: z.string(),
});

const TRAIN_LOCK = "train.lock";
const CLAIM = "claim.lock";

/**
 * Takes the folder until the process ends or the result is called. The lock of a process that is
 * gone from this machine is taken over.
 * @throws UserError when another process holds it
 */
export function lockRunFolder(folder: string, name = TRAIN_LOCK): () => void {
  const path = join(folder, name);
  const owner = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  const text = `${JSON.stringify(owner)}\n`;
  while (!create(path, text)) removeStale(path, folder);
  const release = () => {
    process.off("exit", release);
    try {
      if (read(path) === text) removeQuietly(path);
    } catch {} // The run is over: a lock that cannot be read is left to the next one.
  };
  process.on("exit", release);
  return release;
}

/**
 * Takes the folder for a process that will have others train in it, one after another; undefined where
 * another process has taken it.
 */
export function claimFolder(folder: string): (() => void) | undefined {
  try {
    return lockRunFolder(folder, CLAIM);
  } catch (error) {
    if (error instanceof UserError && isLocked(folder, CLAIM)) return undefined;
    throw error;
  }
}

/** Whether a process trains in the folder now. */
export function isLocked(folder: string, name = TRAIN_LOCK): boolean {
  const text = read(join(folder, name));
  const owner = text === undefined ? undefined : ownerOf(text);
  return owner !== undefined && isAlive(owner);
}

/** False when there is one. A lock appears with its text: it is written beside it first. */
function create(path: string, text: string): boolean {
  sweepOnce(dirname(path));
  const temporary = temporaryPath(dirname(path));
  try {
    writeFileSync(temporary, text);
    return place(temporary, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UserError(`${path}: cannot be written (${code}); name a folder that can, by --out`);
  } finally {
    removeQuietly(temporary);
  }
}

/** Puts a file where there is none, else gives false. */
function place(from: string, to: string): boolean {
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

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function removeStale(path: string, folder: string): void {
  const text = read(path);
  if (text === undefined) return;
  const owner = ownerOf(text);
  if (owner && isAlive(owner)) {
    throw new UserError(
      `${folder}: process ${owner.pid} on ${owner.host} trains in this folder since ` +
        `${owner.since}; end it first (delete ${path} if it is gone), or name another --out`,
    );
  }
  // Whoever renames it first has it; a lock made in the meantime goes back.
  const taken = temporaryPath(folder);
  try {
    renameSync(path, taken);
    if (read(taken) !== text) place(taken, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  } finally {
    removeQuietly(taken);
  }
}

/** Undefined for a file that is no lock: cut off by a crash of the machine, say. */
function ownerOf(text: string): z.infer<typeof ownerSchema> | undefined {
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** A process of another machine cannot be asked and counts as alive. */
function isAlive({ pid, host }: z.infer<typeof ownerSchema>): boolean {
  if (host !== hostname()) return true;
  if (pid === process.pid) return false; // an earlier process with our number
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
