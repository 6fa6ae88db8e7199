import { existsSync } from "node:fs";
import { copyFile, glob, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { parseJson } from "../core/json";
import { type AptVersion, distribution, PrivateApt, unpackDeb } from "./apt";
import { cacheDir, cacheOnce, temporarySibling } from "./cache";
import { DriverUnavailable, type PrepareOptions, type VulkanFiles } from "./driver";
import { neededLibraries } from "./elf";
import { removeQuietly } from "./leftovers";
import { printLine } from "./native";

const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"] as const;
const DRIVER = "libvulkan_lvp.so";
const LOADER = "libvulkan.so.1";
/** Dawn accepts lavapipe of Mesa 23.2 (Ubuntu 22.04) and refuses that of 22.3 (Debian 12). */
const OLDEST_MESA = 23.2;
/** Libraries that every process has loaded already, in the machine's version, and may not load twice. */
const NEVER_UNPACKED = /^(libc6|libgcc-s1|libstdc\+\+6|gcc-\d+-base)_/;

/**
 * Lavapipe, Mesa's software Vulkan driver, from the cache, brought there when it is missing with
 * the machine's own apt sources, without root. `VOXGRAD_NO_DOWNLOAD=1` forbids the bringing.
 * @throws DriverUnavailable where it cannot be had
 */
export async function lavapipe({ mayDownload, quiet }: PrepareOptions): Promise<VulkanFiles> {
  if (process.platform !== "linux") throw new DriverUnavailable("only brought on Linux");
  const { id, codename } = await distribution();
  const dir = cacheDir("lavapipe", [id, codename, process.arch].filter(Boolean).join("-"));
  if (!existsSync(dir)) {
    if (!mayDownload) throw new DriverUnavailable("not in the cache");
    if (process.env.VOXGRAD_NO_DOWNLOAD) {
      throw new DriverUnavailable("not in the cache, and VOXGRAD_NO_DOWNLOAD forbids bringing it");
    }
    bringing ??= bring(dir, codename, quiet);
    await bringing;
  }
  const libraries = (await librariesIn(dir)).map((name) => join(dir, name));
  return { loader: join(dir, LOADER), icd: join(dir, "icd.json"), libraries };
}

/** Names of files in the folder, and of nothing elsewhere: they are loaded. */
const librariesSchema = z.array(z.string().regex(/^[\w.+-]+$/)).min(1);

async function librariesIn(dir: string): Promise<readonly string[]> {
  const file = join(dir, "libraries.json");
  const text = await readFile(file, "utf8").catch(() => "");
  const remedy = "bring it anew after `bun run cache --clear lavapipe`";
  try {
    return parseJson(text, librariesSchema, file, remedy);
  } catch (error) {
    throw new DriverUnavailable((error as Error).message);
  }
}

let bringing: Promise<void> | undefined; // one attempt per process

async function bring(dir: string, codename: string, quiet: boolean): Promise<void> {
  const work = await temporarySibling(dir);
  try {
    const root = await fetchPackages(work, codename, quiet);
    await cacheOnce(dir, (temporary) => install(root, temporary, dir));
  } catch (error) {
    if (error instanceof DriverUnavailable) throw error;
    throw new DriverUnavailable(`bringing it failed: ${error}`);
  } finally {
    removeQuietly(work);
  }
}

/** Downloads and unpacks below `work`; returns the directory that stands for `/`. */
async function fetchPackages(work: string, codename: string, quiet: boolean): Promise<string> {
  if (!quiet) {
    const what = "lavapipe (software Vulkan driver, 20 to 60 MB, once)";
    printLine(`bringing ${what} into ${cacheDir()} … (VOXGRAD_NO_DOWNLOAD=1 forbids this)`);
  }
  const apt = await PrivateApt.open(work, codename);
  const versions = await apt.versions(PACKAGES[0]);
  const isNew = ({ version }: AptVersion) => Number.parseFloat(version) >= OLDEST_MESA;
  const chosen =
    versions.find((each) => isNew(each) && !each.suite.endsWith("-backports")) ??
    versions.find(isNew);
  if (!chosen) {
    const newest = versions[0]?.version ?? "none";
    throw new DriverUnavailable(`apt offers Mesa ${newest}, and ${OLDEST_MESA} is needed`);
  }
  const root = join(work, "root");
  for (const deb of await apt.download(PACKAGES, chosen.suite)) {
    if (!NEVER_UNPACKED.test(basename(deb))) await unpackDeb(deb, root);
  }
  return root;
}

/**
 * Copies the driver, the loader, and of the unpacked libraries those that the driver needs into
 * one folder; `libraries.json` lists them so that each comes after those that it needs itself.
 */
async function install(root: string, temporary: string, dir: string): Promise<void> {
  const unpacked = new Map<string, string>();
  for await (const path of glob(join(root, "{usr/,}lib/**/*.so*"))) {
    unpacked.set(basename(path), path);
  }
  const order = new Set<string>();
  const visited = new Set<string>();
  const visit = async (name: string) => {
    const path = unpacked.get(name);
    if (!path || visited.has(name)) return;
    visited.add(name);
    for (const needed of neededLibraries(await readFile(path))) await visit(needed);
    await copyFile(path, join(temporary, name));
    order.add(name);
  };
  await visit(DRIVER);
  if (!order.has(DRIVER)) throw new DriverUnavailable(`${PACKAGES[0]} holds no ${DRIVER}`);
  const loader = unpacked.get(LOADER);
  if (loader) await copyFile(loader, join(temporary, LOADER));
  const ICD = { library_path: join(dir, DRIVER), api_version: "1.3.0" };
  const manifest = { file_format_version: "1.0.0", ICD };
  await writeFile(join(temporary, "icd.json"), JSON.stringify(manifest));
  await writeFile(join(temporary, "libraries.json"), JSON.stringify([...order]));
}
