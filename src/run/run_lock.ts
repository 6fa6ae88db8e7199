/** Keeps two processes from training in one run folder. */
import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { nameNew, writeNewFile } from "../platform/atomic_file";
import { removeQuietly, temporaryPath } from "../platform/leftovers";
import { bootTime, isRunning, startOf, thisPlace } from "../platform/process_identity";

const ownerSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  since: z.string(),
  /** The owner's place, and its start; some systems do not tell, nor did earlier versions. */
  boot: z.string().optional(),
  space: z.string().optional(),
  started: z.string().optional(),
  /** Seconds after which the owner touches its lock, again and again; earlier versions never did. */
  touches: z.number().positive().optional(),
});
type Owner = z.infer<typeof ownerSchema>;

const TRAIN_LOCK = "train.lock";
const CLAIM = "claim.lock";
/** Seconds between two touches. */
const TOUCH_EVERY = 30;
/** Touches that an owner may miss before it counts as gone, where it cannot be asked. */
const MISSED = 10;

export interface FolderLock {
  /** @throws UserError when another process has taken the folder over */
  check(): void;
  /** Gives the folder back; without it, that happens when the process ends. */
  release(): void;
}

/** Another process holds the lock. */
class FolderTaken extends UserError {}

/** The texts of the locks that this process holds. */
const held = new Set<string>();

/**
 * Takes the folder. The lock of a process that is gone is taken over: of this machine and container it
 * is asked by its number and its start, of others it counts as gone when it no longer touches its lock.
 * @param touchEvery seconds
 * @throws UserError when another process holds it
 */
export function lockRunFolder(
  folder: string,
  name = TRAIN_LOCK,
  touchEvery = TOUCH_EVERY,
): FolderLock {
  const path = join(folder, name);
  const { pid } = process;
  const about = { pid, since: new Date().toISOString(), ...thisPlace(), started: startOf(pid) };
  const owner: Owner = { ...about, touches: touchEvery };
  const text = `${JSON.stringify({ ...owner, id: randomUUID() })}\n`;
  while (!create(path, text)) removeStale(path, folder);
  held.add(text);
  const isOurs = () => {
    try {
      return read(path) === text;
    } catch {
      return false; // It cannot be read now: it is left as it is.
    }
  };
  const timer = setInterval(() => isOurs() && touch(path), 1000 * touchEvery);
  timer.unref();
  const release = () => {
    clearInterval(timer);
    process.off("exit", release);
    held.delete(text);
    if (isOurs()) removeQuietly(path);
  };
  process.on("exit", release);
  return { release, check: () => refuseOther(path, folder, text) };
}

/** The computer may have slept while another one took its place. */
function refuseOther(path: string, folder: string, text: string): void {
  const now = read(path);
  if (now === undefined || now === text) return;
  const other = ownerOf(now);
  const who = other ? `process ${other.pid} on ${other.host}` : "another process";
  throw new UserError(
    `${folder}: ${who} has taken this folder over while this one stood still; nothing more is saved ` +
      "from here",
  );
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {} // The next one may succeed.
}

/**
 * Takes the folder for a process that will have others train in it, one after another; undefined where
 * another process has taken it.
 * @param name of the claim: a folder may hold several, of parts of a work
 */
export function claimFolder(folder: string, name = CLAIM): (() => void) | undefined {
  try {
    return lockRunFolder(folder, name).release;
  } catch (error) {
    if (error instanceof FolderTaken) return undefined;
    throw error;
  }
}

/** Whether a process trains in the folder now. */
export function isLocked(folder: string, name = TRAIN_LOCK): boolean {
  const path = join(folder, name);
  const text = read(path);
  return text !== undefined && livingOwner(path, text) !== undefined;
}

/** False when there is one. */
function create(path: string, text: string): boolean {
  try {
    return writeNewFile(path, text, { flush: false });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}; name a folder that can be written, by --out`);
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
  const owner = livingOwner(path, text);
  if (owner) throw new FolderTaken(refusal(folder, path, owner));
  // Whoever renames it first has it; a lock made in the meantime goes back.
  const taken = temporaryPath(folder);
  try {
    renameSync(path, taken);
    if (read(taken) !== text) nameNew(taken, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  } finally {
    removeQuietly(taken);
  }
}

function refusal(folder: string, path: string, owner: Owner): string {
  const { pid, host, since, touches } = owner;
  const wait = touches && !isHere(owner) ? `wait ${(touches * MISSED) / 60} min, or ` : "";
  return (
    `${folder}: process ${pid} on ${host} trains in this folder since ${since}; end it first (where ` +
    `it is gone: ${wait}delete ${path}), or name another --out`
  );
}

/** Undefined where the owner is gone, and for a file that is no lock: cut off by a power cut, say. */
function livingOwner(path: string, text: string): Owner | undefined {
  const owner = ownerOf(text);
  return owner && (held.has(text) || isAlive(owner, path)) ? owner : undefined;
}

function ownerOf(text: string): Owner | undefined {
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Whether the owner's number means something here. */
function isHere({ host, boot, space }: Owner): boolean {
  const place = thisPlace();
  if (host !== place.host) return false;
  return boot === undefined || (boot === place.boot && space === place.space);
}

function isAlive(owner: Owner, path: string): boolean {
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const { pid, started, touches, host } = owner;
  if (isHere(owner)) {
    if (!isRunning(pid)) return false;
    if (started !== undefined) return started === startOf(pid);
    return pid !== process.pid && touched > bootTime();
  }
  // This machine has been started again since: only another one of its name would have touched it.
  if (host === thisPlace().host && touched < bootTime()) return false;
  return touches === undefined || Date.now() - touched < 1000 * touches * MISSED;
}
