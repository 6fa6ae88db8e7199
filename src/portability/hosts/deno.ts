/** wgpu and Naga in Deno: the npm package `deno`, brought into the cache. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir } from "../../platform/cache";
import { dawnsAdapters } from "./bun";
import type { Describe } from "./driver_host";
import { broughtPackages, packageVersion, Unavailable } from "./packages";
import { processHost } from "./process_host";

const MEGABYTES = 40;

/** The package of the binary, as the package `deno` names it. */
function binaryPackage(): string {
  const libc = process.platform === "linux" ? "-glibc" : "";
  return `@deno/${process.platform}-${process.arch}${libc}`;
}

export const deno = processHost("deno", async () => {
  const modules = await broughtPackages("deno", MEGABYTES);
  const name = process.platform === "win32" ? "deno.exe" : "deno";
  const path = join(modules, binaryPackage(), name);
  if (!existsSync(path)) {
    throw new Unavailable(`no Deno is packaged for ${process.platform} ${process.arch}`);
  }
  const env: Record<string, string> = {
    DENO_DIR: cacheDir("portability", "deno-state"),
    DENO_NO_UPDATE_CHECK: "1",
  };
  // Without Vulkan, wgpu would fall back to OpenGL, which is another driver than the one asked for.
  if (process.platform === "linux") env.DENO_WEBGPU_BACKEND = "vulkan";
  return {
    command: [path, "run", "--allow-all", "--no-config", "--no-lock", "--no-remote"],
    env,
    versions: { deno: await packageVersion(modules, "deno"), naga: await nagaVersion(path) },
    describe: toldByDawn,
  };
});

/**
 * Deno tells no version of a driver: Dawn does, of the adapter of the same name. Lavapipe that Dawn refuses is
 * left out, or Deno's column would be of another Mesa than its neighbours' (docs/engine/portability.md).
 */
const toldByDawn: Describe = async (adapters, source, env) => {
  const listed = await dawnsAdapters(env);
  return adapters.map((adapter) => {
    const same = listed.find(({ name }) => name === adapter.name);
    if (same) {
      const { driver, vendor, architecture } = same;
      return { ...adapter, driver, vendor, architecture };
    }
    const isRefused = source === "system" && adapter.kind === "lavapipe";
    return isRefused
      ? "the system's lavapipe is none of Dawn's adapters, which refuses Mesa before 23.2"
      : adapter;
  });
};

/** Deno does not tell which Naga (and wgpu) it holds; the paths of its sources, kept for panics, do. */
async function nagaVersion(binary: string): Promise<string> {
  const bytes = await readFile(binary);
  const at = bytes.indexOf("/naga-");
  const text = at < 0 ? "" : bytes.subarray(at, at + 32).toString("latin1");
  return /^\/naga-(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? "unknown";
}
