/** The entries of the cache: their sizes, their last use, and the removal of those that are old. */
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { cacheDir } from "./cache";
import { removeQuietly, sweepLeftovers } from "./leftovers";

interface Kind {
  readonly holds: string;
  /** Made of scans of patients: removed when it was not used for a while. */
  readonly scans?: true;
  /** Names of the entries, whose first group tells them apart. The folder may hold other things. */
  readonly names: RegExp;
}

const ANY = /^(.+)$/;

/** The folders of the cache. */
export const CACHE_KINDS = {
  prepared: {
    holds: "patients' scans, prepared for training",
    scans: true,
    names: /^([0-9a-f]{32})\.bin(?:\.json)?$/,
  },
  backgrounds: {
    holds: "patients' scans, looked through for pairs that are made of them",
    scans: true,
    names: /^([0-9a-f]{32})\.bin$/,
  },
  synthetic: {
    holds: "synthetic pairs, made of patients' scans",
    scans: true,
    names: /^([0-9a-f]{32})$/,
  },
  alignments: {
    holds: "how the visits of pairs lie on each other",
    scans: true,
    names: /^([0-9a-f]{32})\.json$/,
  },
  dicom: {
    holds: "scans that a command converts from DICOM while it reads them",
    scans: true,
    names: ANY,
  },
  phantom: { holds: "phantom cohorts", names: /^([0-9a-f]{16})$/ },
  tune: { holds: "the tuner's choices of kernels", names: /^([0-9a-f]{32})\.json$/ },
  compiled: { holds: "marks of what the driver has compiled", names: /^([0-9a-f]{32})$/ },
  lavapipe: { holds: "the software driver", names: ANY },
  radv: { holds: "AMD's compiler of shaders, for `bun run bench isa`", names: ANY },
  "spirv-tools": { holds: "the assembler of SPIR-V, for `bun run bench isa`", names: ANY },
  swiftshader: { holds: "the slower software driver", names: ANY },
  portability: { holds: "runtimes and browsers of the portability suite", names: ANY },
} as const satisfies Readonly<Record<string, Kind>>;
export type CacheKind = keyof typeof CACHE_KINDS;
export const ALL_KINDS = Object.keys(CACHE_KINDS) as CacheKind[];
export const SCAN_KINDS = ALL_KINDS.filter((kind) => "scans" in CACHE_KINDS[kind]);

export interface CacheEntry {
  readonly kind: CacheKind;
  readonly paths: readonly string[];
  readonly bytes: number;
  /** Time of the last use, in milliseconds as `Date.now()`. */
  readonly used: number;
}

/** Everything of these kinds that the cache holds. @throws UserError where there is no cache folder */
export function cacheEntries(kinds: readonly CacheKind[] = ALL_KINDS): CacheEntry[] {
  return kinds.flatMap((kind) => {
    const folder = cacheDir(kind);
    const names = Map.groupBy(namesIn(folder), (name) => CACHE_KINDS[kind].names.exec(name)?.[1]);
    names.delete(undefined);
    return [...names.values()].map((own) => {
      const paths = own.map((name) => join(folder, name));
      const used = Math.max(...paths.map((path) => statOf(path)?.mtimeMs ?? 0));
      return { kind, paths, bytes: paths.reduce((sum, path) => sum + bytesOf(path), 0), used };
    });
  });
}

export const removeEntries = (entries: readonly CacheEntry[]): void => {
  for (const path of entries.flatMap(({ paths }) => paths)) removeQuietly(path);
};

/** Says that an entry is in use now: the age of what is not used decides when it goes. */
export function touchEntry(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {} // A cache that can only be read.
}

const DEFAULT_DAYS = 30;
const DAY_MS = 86_400_000;

/** Days without use after which scans go; undefined: never. @throws UserError for another value */
export function daysOfScans(): number | undefined {
  const text = process.env.VOXGRAD_CACHE_DAYS;
  if (!text) return DEFAULT_DAYS;
  if (text === "off") return undefined;
  const days = Number(text);
  if (days > 0 && Number.isFinite(days)) return days;
  throw new UserError(
    `VOXGRAD_CACHE_DAYS is ${text}: expected a number of days above 0, or off to keep scans for ever`,
  );
}

export const unusedFor = (entries: readonly CacheEntry[], ms: number, now = Date.now()) =>
  entries.filter(({ used }) => now - used > ms);

/** Those that must go, the longest unused first, so that at most so many bytes remain. */
export function beyondSize(entries: readonly CacheEntry[], most: number): CacheEntry[] {
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  return entries
    .toSorted((a, b) => a.used - b.used)
    .filter(({ bytes }) => {
      const goes = total > most;
      if (goes) total -= bytes;
      return goes;
    });
}

/**
 * Removes scans that were not used for `daysOfScans`, and leftovers of crashes; gives what it removed.
 * @throws UserError as `daysOfScans`
 */
export function removeOldScans(): CacheEntry[] {
  const days = daysOfScans();
  try {
    for (const kind of SCAN_KINDS) sweepLeftovers(cacheDir(kind));
    if (days === undefined) return [];
    const old = unusedFor(cacheEntries(SCAN_KINDS), days * DAY_MS);
    removeEntries(old);
    return old;
  } catch (error) {
    if (error instanceof UserError) return []; // There is no cache.
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const statOf = (path: string) => statSync(path, { throwIfNoEntry: false });

function bytesOf(path: string): number {
  const stat = statOf(path);
  if (!stat?.isDirectory()) return stat?.size ?? 0;
  return namesIn(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}
