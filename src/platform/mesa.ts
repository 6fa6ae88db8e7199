/** Mesa's Vulkan drivers in the cache: lavapipe, which computes, and RADV's compiler beside it. */
import { existsSync } from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { parseJson } from "../core/json";
import type { AptVersion } from "./apt";
import {
  type Brought,
  broughtFolder,
  broughtPath,
  copyWithNeeded,
  librariesBelow,
  listedLibraries,
} from "./brought";
import { DriverUnavailable, type PrepareOptions, type VulkanFiles } from "./driver";

const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"] as const;
const DRIVER = "libvulkan_lvp.so";
const RADV = "libvulkan_radeon.so";
const LOADER = "libvulkan.so.1";
/** Each lists a driver and the libraries that it needs. */
const LISTS = { lavapipe: "libraries.json", radv: "radv.json" } as const;
/** Dawn accepts lavapipe of Mesa 23.2 (Ubuntu 22.04) and refuses that of 22.3 (Debian 12). */
const OLDEST_MESA = 23.2;

function chooseMesa(versions: readonly AptVersion[]): AptVersion {
  const isNew = ({ version }: AptVersion) => Number.parseFloat(version) >= OLDEST_MESA;
  const chosen =
    versions.find((each) => isNew(each) && !each.suite.endsWith("-backports")) ??
    versions.find(isNew);
  if (chosen) return chosen;
  const newest = versions[0]?.version ?? "none";
  throw new DriverUnavailable(`apt offers Mesa ${newest}, and ${OLDEST_MESA} is needed`);
}

/** RADV comes along: it is in the same package, and few of its libraries are its own. */
async function installMesa(root: string, into: string, folder: string): Promise<void> {
  const libraries = await librariesBelow(root);
  const order = await copyWithNeeded(DRIVER, libraries, into);
  if (order.length === 0) throw new DriverUnavailable(`${PACKAGES[0]} holds no ${DRIVER}`);
  await writeFile(join(into, LISTS.lavapipe), JSON.stringify(order));
  const loader = libraries.get(LOADER);
  if (loader) await copyFile(loader, join(into, LOADER));
  const ICD = { library_path: join(folder, DRIVER), api_version: "1.3.0" };
  const manifest = { file_format_version: "1.0.0", ICD };
  await writeFile(join(into, "icd.json"), JSON.stringify(manifest));
  await installRadv(root, into);
}

async function installRadv(root: string, into: string): Promise<boolean> {
  const order = await copyWithNeeded(RADV, await librariesBelow(root), into);
  if (order.length > 0) await writeFile(join(into, LISTS.radv), JSON.stringify(order));
  return order.length > 0;
}

const LAVAPIPE: Brought = {
  kind: "lavapipe",
  what: "lavapipe (software Vulkan driver, 20 to 60 MB, once)",
  packages: PACKAGES,
  choose: chooseMesa,
  install: installMesa,
};

/**
 * Lavapipe, Mesa's software Vulkan driver, from the cache, brought there when it is missing.
 * @throws DriverUnavailable where it cannot be had
 */
export async function lavapipe(options: PrepareOptions): Promise<VulkanFiles> {
  const folder = await broughtFolder(LAVAPIPE, options);
  const libraries = await listedLibraries(folder, LISTS.lavapipe, "lavapipe");
  return { loader: join(folder, LOADER), icd: join(folder, "icd.json"), libraries };
}

/** For caches that older versions of voxgrad, or of Mesa's package, have filled. */
const RADV_ALONE: Brought = {
  kind: "radv",
  what: "RADV (Vulkan driver for AMD, with its compiler, 20 to 60 MB, once)",
  packages: [PACKAGES[0]],
  choose: chooseMesa,
  async install(root, into) {
    if (!(await installRadv(root, into))) {
      throw new DriverUnavailable(`${PACKAGES[0]} holds no ${RADV}`);
    }
  },
};

/** A driver to load: itself last, those that it needs before it. */
export type Libraries = readonly string[];

/**
 * RADV, Mesa's Vulkan driver for AMD: brought with lavapipe or by itself, else the system's.
 * @throws DriverUnavailable where it cannot be had
 */
export async function radv(options: PrepareOptions): Promise<Libraries> {
  try {
    const beside = await broughtPath("lavapipe");
    if (existsSync(join(beside, LISTS.radv))) {
      return await listedLibraries(beside, LISTS.radv, "lavapipe");
    }
    const folder = await broughtFolder(RADV_ALONE, options);
    return await listedLibraries(folder, LISTS.radv, "radv");
  } catch (error) {
    if (!(error instanceof DriverUnavailable)) throw error;
    const system = await systemRadv();
    if (system) return [system];
    throw error;
  }
}

const SYSTEM_MANIFESTS = ["radeon_icd.x86_64.json", "radeon_icd.aarch64.json", "radeon_icd.json"];
const manifestSchema = z.looseObject({ ICD: z.looseObject({ library_path: z.string() }) });

/** Path or name of the library, by its manifest. */
async function systemRadv(): Promise<string | undefined> {
  for (const name of SYSTEM_MANIFESTS) {
    const file = join("/usr/share/vulkan/icd.d", name);
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) continue;
    return parseJson(text, manifestSchema, file, "install the driver again").ICD.library_path;
  }
  return undefined;
}
