/** The folder of the cache, and how its entries come into it. */
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { rename } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { UserError } from "../core/errors";
import { removeQuietly, sweepOnce, temporaryPath } from "./leftovers";

/** The facts that decide the cache's place; a parameter so that every platform can be tested on one. */
export interface CacheEnvironment {
  readonly platform: string;
  /** Undefined for a user without one: a number of a container, say. */
  readonly home: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Root of the cache: `VOXGRAD_CACHE`, else `XDG_CACHE_HOME/voxgrad`, else the platform's custom
 * (Linux `~/.cache`, macOS `~/Library/Caches`, Windows `%LOCALAPPDATA%\voxgrad\cache`).
 * An empty variable counts as unset, as the XDG specification says. A folder that all may write to is
 * no place for it: drivers are loaded from the cache, and scans lie in it.
 * @throws UserError where none of them is known
 */
export function cacheRoot({ platform, home, env }: CacheEnvironment): string {
  if (env.VOXGRAD_CACHE) return env.VOXGRAD_CACHE;
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, "voxgrad");
  if (platform === "win32" && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, "voxgrad", "cache");
  if (!home) {
    throw new UserError(
      "there is no folder for the cache: this user has no home folder, and HOME is not set; set " +
        "VOXGRAD_CACHE to a folder that only you can write to",
    );
  }
  if (platform === "darwin") return join(home, "Library", "Caches", "voxgrad");
  if (platform === "win32") return join(home, "AppData", "Local", "voxgrad", "cache");
  return join(home, ".cache", "voxgrad");
}

/** The user's home folder; undefined where the system knows none. */
export function homeFolder(): string | undefined {
  try {
    return homedir() || undefined;
  } catch {
    return undefined; // Bun throws for a user without an entry in passwd.
  }
}

/**
 * Absolute path of something in the cache, e.g. `cacheDir("phantom", key)`. Creates nothing.
 * @throws UserError where there is no folder for it
 */
export function cacheDir(...sub: string[]): string {
  const { platform, env } = process;
  return resolve(cacheRoot({ platform, home: homeFolder(), env }), ...sub);
}

/** Makes a folder of the cache; what is new on the way to it is its owner's alone. */
export function makeCacheFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/**
 * Makes a folder of the cache for scans of patients, and gives its path. It is its owner's alone, also
 * where it was there before, as is the cache itself unless `VOXGRAD_CACHE` names it.
 * @throws UserError when the cache cannot be written
 */
export function privateCacheDir(...sub: string[]): string {
  try {
    makeCacheFolder(cacheDir(...sub));
  } catch (error) {
    throw cacheProblem(cacheDir(...sub), error);
  }
  if (!process.env.VOXGRAD_CACHE) closeToOthers(cacheDir());
  sub.forEach((_, i) => {
    closeToOthers(cacheDir(...sub.slice(0, i + 1)));
  });
  return cacheDir(...sub);
}

/** Of another user's folder the permissions are theirs to decide; some file systems have none. */
function closeToOthers(path: string): void {
  try {
    const { uid, mode } = statSync(path);
    if (process.getuid?.() === uid && (mode & 0o077) !== 0) chmodSync(path, 0o700);
  } catch {}
}

function cacheProblem(path: string, error: unknown): UserError {
  const remedy = "set VOXGRAD_CACHE to a folder that can be written";
  return new UserError(`cannot write the cache in ${path}: ${error}; ${remedy}`);
}

/** Errors of the system that say why nothing can be written. */
const OF_THE_DISK = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM"];

/**
 * Makes `dir` exist with what `fill` writes: never half a directory, even when several processes
 * ask at once or one is killed. `fill` gets a temporary sibling that is renamed when complete; the
 * first process wins. Returns false when the directory was there already.
 * @throws UserError when the cache cannot be written
 */
export async function cacheOnce(
  dir: string,
  fill: (temporary: string) => Promise<void>,
): Promise<boolean> {
  if (existsSync(dir)) return false;
  const temporary = await temporarySibling(dir);
  try {
    await fill(temporary);
    await rename(temporary, dir);
    return true;
  } catch (error) {
    removeQuietly(temporary);
    if (existsSync(dir)) return false;
    const { code = "" } = error as NodeJS.ErrnoException;
    throw OF_THE_DISK.includes(code) ? cacheProblem(dirname(dir), error) : error;
  }
}

/** A new hidden directory beside `dir`. @throws UserError when the cache cannot be written */
export async function temporarySibling(dir: string): Promise<string> {
  try {
    makeCacheFolder(dirname(dir));
    sweepOnce(dirname(dir));
    const temporary = temporaryPath(dirname(dir));
    mkdirSync(temporary);
    return temporary;
  } catch (error) {
    throw cacheProblem(dirname(dir), error);
  }
}
