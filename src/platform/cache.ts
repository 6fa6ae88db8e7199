import { existsSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { UserError } from "../core/errors";
import { removeQuietly, sweepOnce, temporaryPath } from "./leftovers";

/** The facts that decide the cache's place; a parameter so that every platform can be tested on one. */
export interface CacheEnvironment {
  readonly platform: string;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Root of the cache: `VOXGRAD_CACHE`, else `XDG_CACHE_HOME/voxgrad`, else the platform's custom
 * (Linux `~/.cache`, macOS `~/Library/Caches`, Windows `%LOCALAPPDATA%\voxgrad\cache`).
 * An empty variable counts as unset, as the XDG specification says.
 */
export function cacheRoot({ platform, home, env }: CacheEnvironment): string {
  if (env.VOXGRAD_CACHE) return env.VOXGRAD_CACHE;
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, "voxgrad");
  if (platform === "darwin") return join(home, "Library", "Caches", "voxgrad");
  if (platform === "win32") {
    return join(env.LOCALAPPDATA || join(home, "AppData", "Local"), "voxgrad", "cache");
  }
  return join(home, ".cache", "voxgrad");
}

/** Absolute path of something in the cache, e.g. `cacheDir("phantom", key)`. Creates nothing. */
export function cacheDir(...sub: string[]): string {
  const home = homedir() || tmpdir();
  return resolve(cacheRoot({ platform: process.platform, home, env: process.env }), ...sub);
}

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
    throw error;
  }
}

/** A new hidden directory beside `dir`. @throws UserError when the cache cannot be written */
export async function temporarySibling(dir: string): Promise<string> {
  try {
    await mkdir(dirname(dir), { recursive: true });
    sweepOnce(dirname(dir));
    const temporary = temporaryPath(dirname(dir));
    await mkdir(temporary);
    return temporary;
  } catch (error) {
    const remedy = "set VOXGRAD_CACHE to a folder that can be written";
    throw new UserError(`cannot write the cache in ${dirname(dir)}: ${error}; ${remedy}`);
  }
}
