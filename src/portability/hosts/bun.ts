/** Dawn in Bun: the Bun that runs this, with the npm package `webgpu` of the project. */
import { join } from "node:path";
import { packageVersion } from "./packages";
import { processHost } from "./process_host";

export const MODULES = join(import.meta.dir, "..", "..", "..", "node_modules");

export const bun = processHost("bun", async () => ({
  command: [process.execPath],
  versions: { bun: Bun.version, webgpu: await packageVersion(MODULES, "webgpu") },
}));
