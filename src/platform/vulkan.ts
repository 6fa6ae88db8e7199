import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { DriverUnavailable, type PrepareOptions, type VulkanFiles } from "./driver";
import { lavapipe } from "./lavapipe";
import { loadLibrary, setNativeEnv } from "./native";
import { swiftShader } from "./swiftshader";

/** A place where drivers come from. */
export interface DriverSource {
  readonly name: "system" | "lavapipe" | "swiftshader";
  /**
   * Makes the drivers loadable, bringing what is missing if it may. The returned function, called right
   * before Dawn looks for adapters, shows Dawn these drivers and no others.
   * @throws DriverUnavailable
   */
  prepare(options: PrepareOptions): Promise<() => void>;
}

/** The sources in order of preference. Metal and D3D12 need nothing from us. */
export function driverSources(): readonly DriverSource[] {
  if (process.platform !== "linux") {
    return [{ name: "system", prepare: async () => () => {} }];
  }
  return [
    { name: "system", prepare: systemDrivers },
    { name: "lavapipe", prepare: async (options) => ownDriver(await lavapipe(options)) },
    { name: "swiftshader", prepare: async () => ownDriver(await swiftShader()) },
  ];
}

/** Each replaces the loader's own search; the second is the name before loader 1.3.207. */
const DRIVER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] as const;
const userDrivers = DRIVER_VARIABLES.map((name) => [name, process.env[name]] as const);

/** Where GPU containers and NixOS mount drivers, outside of the loader's search path. */
const MOUNTED_DRIVER_DIRS = [
  "/usr/local/nvidia/share/vulkan/icd.d",
  "/usr/local/nvidia/vulkan/icd.d",
  "/run/opengl-driver/share/vulkan/icd.d",
];

async function systemDrivers(): Promise<() => void> {
  await loadLoader();
  const mounted = MOUNTED_DRIVER_DIRS.flatMap(manifests);
  return () => {
    for (const [name, value] of userDrivers) setNativeEnv(name, value);
    if (mounted.length > 0 && !process.env.VK_ADD_DRIVER_FILES) {
      setNativeEnv("VK_ADD_DRIVER_FILES", mounted.join(":"));
    }
  };
}

function manifests(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(dir, name));
}

async function ownDriver(files: VulkanFiles): Promise<() => void> {
  await loadLoader(files);
  for (const library of files.libraries) {
    const refusal = loadLibrary(library);
    if (refusal) {
      const dir = dirname(files.icd);
      throw new DriverUnavailable(`${refusal} (delete ${dir} to have it brought anew)`);
    }
  }
  return () => {
    for (const name of DRIVER_VARIABLES) setNativeEnv(name, files.icd);
  };
}

let loaderLoaded = false;

/**
 * Loads the one Vulkan loader of this process, which Dawn then finds by its name: the system's,
 * else the one that comes with `files`, else SwiftShader's (GPU containers often mount a driver
 * without a loader).
 */
async function loadLoader(files?: VulkanFiles): Promise<void> {
  if (loaderLoaded) return;
  const refusal = loadLibrary("libvulkan.so.1") && loadLibrary((files ?? (await spare())).loader);
  if (refusal) throw new DriverUnavailable(`no Vulkan loader: ${refusal}`);
  loaderLoaded = true;
}

async function spare(): Promise<VulkanFiles> {
  return swiftShader().catch((error) => {
    if (!(error instanceof DriverUnavailable)) throw error;
    throw new DriverUnavailable("no Vulkan loader (libvulkan.so.1) is installed");
  });
}

/** The adapter that the environment asks for (`VOXGRAD_ADAPTER`), or "". */
export function adapterVariable(): string {
  return process.env.VOXGRAD_ADAPTER ?? "";
}
