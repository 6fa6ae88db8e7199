/**
 * Installs the packages of the lockfile unless they are there. Every script of package.json runs it
 * first. It prints nothing to standard output, which is for results, and asks no network where
 * nothing is missing.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..", "..");
/** What makes a package one for some machines only. */
type Limits = Readonly<Record<string, string | readonly string[] | undefined>>;
type Package = readonly [id: string, ...rest: unknown[]];

interface Lockfile {
  readonly workspaces: Readonly<Record<string, Record<string, unknown>>>;
  readonly packages: Readonly<Record<string, Package>>;
}

function readJson(path: string): unknown {
  // bun.lock has commas before closing brackets.
  return JSON.parse(readFileSync(path, "utf8").replace(/,(?=\s*[}\]])/g, ""));
}

/** Whether node_modules holds what the lockfile says for this machine, version by version. */
function isInstalled(): boolean {
  const manifest = readJson(join(ROOT, "package.json")) as Record<string, unknown>;
  const lock = readJson(join(ROOT, "bun.lock")) as Lockfile;
  const fields = ["dependencies", "devDependencies", "optionalDependencies"];
  const asked = (of: Record<string, unknown>) => JSON.stringify(fields.map((field) => of[field]));
  if (asked(manifest) !== asked(lock.workspaces[""] ?? {})) return false;
  const optional = Object.keys(manifest.optionalDependencies ?? {});
  return Object.entries(lock.packages).every(([key, entry]) => {
    if (optional.includes(key)) return true; // Without it the rest works; it may not be had here.
    const limits = entry.find((part) => typeof part === "object") as Limits | undefined;
    if (limits && !isForThisMachine(limits)) return true;
    const installed = installedVersion(key);
    const locked = entry[0].slice(entry[0].lastIndexOf("@") + 1);
    return installed !== undefined && (installed === locked || !/^\d/.test(locked));
  });
}

function isForThisMachine({ os, cpu, libc }: Limits): boolean {
  const allows = (limit: Limits[string], here: string) =>
    limit === undefined || limit.includes(here);
  const arch = process.arch === "arm64" ? "aarch64" : "x86_64";
  const isMusl = process.platform === "linux" && existsSync(`/lib/ld-musl-${arch}.so.1`);
  return (
    allows(os, process.platform) &&
    allows(cpu, process.arch) &&
    allows(libc, isMusl ? "musl" : "glibc")
  );
}

/** @param key of a package: its name after those of the packages that it lies in */
function installedVersion(key: string): string | undefined {
  const names = key.match(/(@[^/]+\/)?[^/]+/g) ?? [];
  const path = join(ROOT, ...names.flatMap((name) => ["node_modules", name]), "package.json");
  try {
    return (readJson(path) as { version?: string }).version ?? "";
  } catch {
    return undefined;
  }
}

if (!isInstalled()) {
  const { status } = spawnSync(process.execPath, ["install", "--frozen-lockfile"], {
    cwd: ROOT,
    stdio: ["ignore", process.stderr.fd, process.stderr.fd],
  });
  process.exitCode = status ?? 1;
}
