import { homedir } from "node:os";
import { join } from "node:path";

/** What decides where the cache lies; a parameter so that every platform can be tested on one. */
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

/** Path of something in this user's cache, e.g. `cacheDir("phantom", key)`. Creates nothing. */
export function cacheDir(...sub: string[]): string {
  const root = cacheRoot({ platform: process.platform, home: homedir(), env: process.env });
  return join(root, ...sub);
}
