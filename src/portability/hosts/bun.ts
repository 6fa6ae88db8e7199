/** Dawn in Bun: the Bun that runs this, with the npm package `webgpu` of the project. */
import { join } from "node:path";
import type { Environment } from "./driver_host";
import type { PlainAdapter } from "./entry/place";
import { packageVersion, Unavailable } from "./packages";
import { processHost } from "./process_host";

export const MODULES = join(import.meta.dir, "..", "..", "..", "node_modules");

export const bun = processHost("bun", async () => ({
  command: [process.execPath],
  versions: { bun: Bun.version, webgpu: await packageVersion(MODULES, "webgpu") },
}));

/** The adapters that Dawn takes of the drivers that an environment shows: other hosts tell less of theirs. */
export async function dawnsAdapters(env: Environment): Promise<readonly PlainAdapter[]> {
  try {
    return await bun.list(env);
  } catch (error) {
    if (error instanceof Unavailable) return [];
    throw error;
  }
}
