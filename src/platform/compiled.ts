/** Remembers the sets of shaders that this machine's driver has compiled and keeps in its cache. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheDir, homeFolder, makeCacheFolder } from "./cache";

/** Mesa's own rule for where its cache of shaders lies. */
function mesaCache(): string {
  const { MESA_SHADER_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  return MESA_SHADER_CACHE_DIR || XDG_CACHE_HOME || join(homeFolder() ?? "", ".cache");
}

function marker(driver: string, sources: readonly string[]): string {
  const hash = createHash("sha256").update(`${driver}\n${mesaCache()}\n`);
  for (const source of sources.toSorted()) hash.update(source);
  return cacheDir("compiled", hash.digest("hex").slice(0, 32));
}

/** True as well where there is no cache to keep anything in. */
export function compiledBefore(driver: string, sources: readonly string[]): boolean {
  if (process.env.MESA_SHADER_CACHE_DISABLE) return true;
  try {
    return existsSync(marker(driver, sources));
  } catch {
    return true;
  }
}

/** A cache that cannot be written costs time, not the run. */
export async function rememberCompiled(driver: string, sources: readonly string[]): Promise<void> {
  try {
    const file = marker(driver, sources);
    makeCacheFolder(dirname(file));
    await writeFile(file, "");
  } catch {}
}
