import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkAddressSpace } from "./address_space";
import { DriverUnavailable, type PrepareOptions, type VulkanFiles } from "./driver";
import { lavapipe } from "./mesa";
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
  /**
   * What to add to the environment of a new process, so that it sees these drivers and no others: for
   * processes that cannot load libraries themselves. Brings what is missing, as `prepare` does.
   * @throws DriverUnavailable
   */
  environment(options: PrepareOptions): Promise<Readonly<Record<string, string>>>;
}

/**
 * The sources in order of preference. Metal and D3D12 need nothing from us.
 * @throws UserError where this process may map too little memory for any of them
 */
export function driverSources(): readonly DriverSource[] {
  if (process.platform !== "linux") {
    return [{ name: "system", prepare: async () => () => {}, environment: async () => ({}) }];
  }
  checkAddressSpace();
  return [
    { name: "system", prepare: systemDrivers, environment: systemEnvironment },
    own("lavapipe", lavapipe),
    own("swiftshader", swiftShader),
  ];
}

function own(
  name: DriverSource["name"],
  files: (options: PrepareOptions) => Promise<VulkanFiles>,
): DriverSource {
  return {
    name,
    prepare: async (options) => ownDriver(await files(options)),
    environment: async (options) => ownEnvironment(await files(options)),
  };
}

/** Each replaces the loader's own search; the second is the name before loader 1.3.207. */
const DRIVER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] as const;
const userDrivers = DRIVER_VARIABLES.map((name) => [name, process.env[name]] as const);

/** Folders where GPU containers and NixOS mount drivers, outside of the loader's search path. */
const MOUNTED_DRIVER_DIRS = [
  "/usr/local/nvidia/share/vulkan/icd.d",
  "/usr/local/nvidia/vulkan/icd.d",
  "/run/opengl-driver/share/vulkan/icd.d",
];

/** Folders that the loader itself searches. */
const LOADER_DIRS = [
  "/usr/local/share/vulkan/icd.d",
  "/usr/local/etc/vulkan/icd.d",
  "/usr/share/vulkan/icd.d",
  "/etc/vulkan/icd.d",
];

async function systemDrivers(): Promise<() => void> {
  await loadLoader();
  const mounted = mountedDrivers();
  return () => {
    for (const [name, value] of userDrivers) setNativeEnv(name, value);
    for (const [name, value] of Object.entries(mounted)) setNativeEnv(name, value);
  };
}

/** The drivers of the user's own variables come with the environment that a process inherits. */
async function systemEnvironment(): Promise<Readonly<Record<string, string>>> {
  const loader = await loaderBeside(undefined);
  return { ...mountedDrivers(), ...(loader && librariesIn([dirname(loader)])) };
}

async function ownEnvironment(files: VulkanFiles): Promise<Readonly<Record<string, string>>> {
  const loader = await loaderBeside(files);
  const folders = [...files.libraries, ...(loader ? [loader] : [])].map((path) => dirname(path));
  const drivers = DRIVER_VARIABLES.map((name) => [name, files.icd] as const);
  return { ...Object.fromEntries(drivers), ...librariesIn(folders) };
}

/** The linker looks there first, then where the user's own variable says. */
function librariesIn(folders: readonly string[]): Record<string, string> {
  const { LD_LIBRARY_PATH } = process.env;
  const all = [...new Set(folders), ...(LD_LIBRARY_PATH ? [LD_LIBRARY_PATH] : [])];
  return all.length > 0 ? { LD_LIBRARY_PATH: all.join(":") } : {};
}

function mountedDrivers(): Record<string, string> {
  // One that the loader finds by itself would show its adapters twice.
  const found = new Set(LOADER_DIRS.flatMap(manifests).map((path) => realpathSync(path)));
  const mounted = MOUNTED_DRIVER_DIRS.flatMap(manifests).filter(
    (path) => !found.has(realpathSync(path)),
  );
  const isNeeded = mounted.length > 0 && !process.env.VK_ADD_DRIVER_FILES;
  return isNeeded ? { VK_ADD_DRIVER_FILES: mounted.join(":") } : {};
}

function manifests(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(dir, name))
    .filter((path) => existsSync(path)); // a link may lead nowhere
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

/** Loads the one Vulkan loader of this process, which Dawn then finds by its name. */
async function loadLoader(files?: VulkanFiles): Promise<void> {
  if (loaderLoaded) return;
  const loader = await loaderBeside(files);
  const refusal = loader && loadLibrary(loader);
  if (refusal) throw new DriverUnavailable(`no Vulkan loader: ${refusal}`);
  loaderLoaded = true;
}

let systemHasLoader: boolean | undefined; // asked once: later the name may mean one of ours

/**
 * The loader to use with a driver: the system's (undefined), else the one that comes with `files`, else
 * SwiftShader's (GPU containers often mount a driver without a loader).
 */
async function loaderBeside(files: VulkanFiles | undefined): Promise<string | undefined> {
  systemHasLoader ??= loadLibrary("libvulkan.so.1") === null;
  return systemHasLoader ? undefined : (files ?? (await spare())).loader;
}

async function spare(): Promise<VulkanFiles> {
  return swiftShader().catch((error) => {
    if (!(error instanceof DriverUnavailable)) throw error;
    throw new DriverUnavailable("no Vulkan loader (libvulkan.so.1) is installed");
  });
}

/**
 * What to do about an NVIDIA GPU that is in this machine while no driver shows it: on servers and in
 * containers that are made for CUDA its Vulkan driver lacks what it loads, and says nothing.
 */
export function nvidiaHint(device = "/dev/nvidiactl"): string | undefined {
  if (process.platform !== "linux" || !existsSync(device)) return undefined;
  return (
    "an NVIDIA GPU is in this machine, but its Vulkan driver does not start: install libegl1 " +
    "(Debian, Ubuntu), and give a container NVIDIA_DRIVER_CAPABILITIES=all"
  );
}

/** The adapter that the environment asks for (`VOXGRAD_ADAPTER`), or "". */
export function adapterVariable(): string {
  return process.env.VOXGRAD_ADAPTER ?? "";
}
