/** Files out of packages of the machine's distribution, brought into the cache without root. */
import { existsSync } from "node:fs";
import { copyFile, glob, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { parseJson } from "../core/json";
import { type AptVersion, distribution, PrivateApt, unpackDeb } from "./apt";
import { cacheDir, cacheOnce, temporarySibling } from "./cache";
import type { CacheKind } from "./cache_entries";
import { DriverUnavailable, type PrepareOptions } from "./driver";
import { neededLibraries } from "./elf";
import { removeQuietly } from "./leftovers";
import { printLine } from "./native";

/** Libraries that every process has loaded already, in the machine's version, and may not load twice. */
const NEVER_UNPACKED = /^(libc6|libgcc-s1|libstdc\+\+6|gcc-\d+-base)_/;

/** One folder of the cache, and the packages that it is made of. */
export interface Brought {
  readonly kind: CacheKind;
  /** For the line that says that it is brought. */
  readonly what: string;
  /** The version of the first decides. */
  readonly packages: readonly string[];
  /** @throws DriverUnavailable where none will do */
  readonly choose: (versions: readonly AptVersion[]) => AptVersion;
  /**
   * Copies what is wanted.
   * @param root the unpacked packages: it stands for `/`
   * @param into where to; it will be `folder`
   */
  readonly install: (root: string, into: string, folder: string) => Promise<void>;
}

/** The folder of this distribution and architecture, whether it is there or not. */
export async function broughtPath(kind: CacheKind): Promise<string> {
  const { id, codename } = await distribution();
  return cacheDir(kind, [id, codename, process.arch].filter(Boolean).join("-"));
}

/**
 * The folder, brought where it is missing with the machine's own apt sources, without root.
 * `VOXGRAD_NO_DOWNLOAD=1` forbids the bringing.
 * @throws DriverUnavailable where it cannot be had
 */
export async function broughtFolder(
  brought: Brought,
  { mayDownload, quiet }: PrepareOptions,
): Promise<string> {
  if (process.platform !== "linux") throw new DriverUnavailable("only brought on Linux");
  const folder = await broughtPath(brought.kind);
  if (existsSync(folder)) return folder;
  if (!mayDownload) throw new DriverUnavailable("not in the cache");
  if (process.env.VOXGRAD_NO_DOWNLOAD) {
    throw new DriverUnavailable("not in the cache, and VOXGRAD_NO_DOWNLOAD forbids bringing it");
  }
  const started = bringing.get(folder) ?? bring(brought, folder, quiet);
  bringing.set(folder, started);
  await started;
  return folder;
}

const bringing = new Map<string, Promise<void>>(); // one attempt per process

async function bring(brought: Brought, folder: string, quiet: boolean): Promise<void> {
  const work = await temporarySibling(folder);
  try {
    const root = await fetchPackages(brought, work, quiet);
    await cacheOnce(folder, (temporary) => brought.install(root, temporary, folder));
  } catch (error) {
    if (error instanceof DriverUnavailable) throw error;
    throw new DriverUnavailable(`bringing it failed: ${error}`);
  } finally {
    removeQuietly(work);
  }
}

/** Downloads and unpacks below `work`; returns the directory that stands for `/`. */
async function fetchPackages(
  { what, packages, choose }: Brought,
  work: string,
  quiet: boolean,
): Promise<string> {
  if (!quiet) {
    printLine(`bringing ${what} into ${cacheDir()} … (VOXGRAD_NO_DOWNLOAD=1 forbids this)`);
  }
  const { codename } = await distribution();
  const apt = await PrivateApt.open(work, codename);
  const { suite } = choose(await apt.versions(packages[0]!));
  const root = join(work, "root");
  for (const deb of await apt.download(packages, suite)) {
    if (!NEVER_UNPACKED.test(basename(deb))) await unpackDeb(deb, root);
  }
  return root;
}

/** Paths of the shared libraries below `root`, by name. */
export async function librariesBelow(root: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for await (const path of glob(join(root, "{usr/,}lib/**/*.so*"))) found.set(basename(path), path);
  return found;
}

/**
 * Copies a library and those of `libraries` that it needs.
 * @returns their names, each after those that it needs itself; none where the library is missing
 */
export async function copyWithNeeded(
  name: string,
  libraries: ReadonlyMap<string, string>,
  into: string,
): Promise<string[]> {
  const order = new Set<string>();
  const visited = new Set<string>();
  const visit = async (each: string) => {
    const path = libraries.get(each);
    if (!path || visited.has(each)) return;
    visited.add(each);
    for (const needed of neededLibraries(await readFile(path))) await visit(needed);
    await copyFile(path, join(into, each));
    order.add(each);
  };
  await visit(name);
  return [...order];
}

/** Names of files in the folder, and of nothing elsewhere: they are loaded. */
const librariesSchema = z.array(z.string().regex(/^[\w.+-]+$/)).min(1);

/**
 * Paths of the libraries that `list`, a file that `copyWithNeeded` gave the names for, has.
 * @throws DriverUnavailable where it is damaged
 */
export async function listedLibraries(
  folder: string,
  list: string,
  kind: CacheKind,
): Promise<readonly string[]> {
  const file = join(folder, list);
  const text = await readFile(file, "utf8").catch(() => "");
  const remedy = `bring it anew after \`bun run cache --clear ${kind}\``;
  try {
    return parseJson(text, librariesSchema, file, remedy).map((name) => join(folder, name));
  } catch (error) {
    throw new DriverUnavailable((error as Error).message);
  }
}
