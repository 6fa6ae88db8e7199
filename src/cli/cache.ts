/** `bun run cache`: see docs/guides/data.md. */
import { UserError } from "../core/errors";
import { cacheDir } from "../platform/cache";
import {
  ALL_KINDS,
  beyondSize,
  CACHE_KINDS,
  type CacheEntry,
  type CacheKind,
  cacheEntries,
  daysOfScans,
  removeEntries,
  SCAN_KINDS,
  unusedFor,
} from "../platform/cache_entries";
import { makeCommand, say } from "../terminal/command";
import { runMain } from "../terminal/main";
import { durationOption, optionParser } from "../terminal/options";
import { duration } from "../terminal/progress";
import { readBytes, readList, sizeText } from "../terminal/read";
import { printResult } from "../terminal/result";
import { table } from "../terminal/text_table";

interface Options {
  readonly clear?: true | string;
  /** Seconds. */
  readonly olderThan?: number;
  /** Bytes. */
  readonly maxSize?: number;
  readonly json?: true;
}

const program = makeCommand(
  "cache",
  "Lists what lies in the cache (size, last use), and removes it. Without --clear, --older-than and " +
    "--max-size are about scans of patients.",
)
  .option(
    "--clear [kinds]",
    `remove the scans of patients; or all, or some of ${ALL_KINDS.join(",")}`,
  )
  .option("--older-than <time>", "remove what was not used for so long, e.g. 30d", durationOption)
  .option(
    "--max-size <size>",
    "remove what was not used for longest, until at most this remains, e.g. 10G",
    optionParser(readBytes),
  )
  .option("--json", "print the list as JSON");
program.parse();
await runMain(async () => main(program.opts<Options>()));

function main(options: Options): void {
  const { clear, olderThan, maxSize } = options;
  const kinds = kindsOf(clear);
  if (clear !== undefined || olderThan !== undefined || maxSize !== undefined) {
    const going = chosen(cacheEntries(kinds), options);
    removeEntries(going);
    const left = cacheEntries(kinds).length;
    say(
      `removed ${going.length} entries (${sizeText(bytesOf(going))}) from ${cacheDir()}; of ${kinds.join(", ")} ${left} are left`,
    );
  }
  const rows = ALL_KINDS.map((kind) => rowOf(kind, cacheEntries([kind])));
  const shown = rows.filter(({ entries }) => entries > 0);
  printResult(options.json ? jsonOf(shown) : listOf(shown));
}

function kindsOf(clear: true | string | undefined): readonly CacheKind[] {
  if (clear === undefined || clear === true) return SCAN_KINDS;
  const named = clear === "all" ? ALL_KINDS : readList(clear);
  return named.map((name) => {
    const kind = ALL_KINDS.find((known) => known === name.trim());
    if (kind) return kind;
    throw new UserError(`--clear ${name}: expected all, or some of ${ALL_KINDS.join(",")}`);
  });
}

/** Both limits hold; without one, --clear means everything. */
function chosen(
  entries: readonly CacheEntry[],
  { olderThan, maxSize }: Options,
): readonly CacheEntry[] {
  if (olderThan === undefined && maxSize === undefined) return entries;
  const old = olderThan === undefined ? [] : unusedFor(entries, 1000 * olderThan);
  const rest = entries.filter((entry) => !old.includes(entry));
  return [...old, ...(maxSize === undefined ? [] : beyondSize(rest, maxSize))];
}

function bytesOf(entries: readonly { readonly bytes: number }[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

interface Row {
  readonly kind: CacheKind;
  readonly holds: string;
  readonly entries: number;
  readonly bytes: number;
  /** Seconds since the newest and the oldest of them were used. */
  readonly unusedSeconds: readonly [newest: number, oldest: number];
}

function rowOf(kind: CacheKind, entries: readonly CacheEntry[]): Row {
  const unused = entries.map(({ used }) => Math.max(0, Math.round((Date.now() - used) / 1000)));
  return {
    ...{ kind, holds: CACHE_KINDS[kind].holds, entries: entries.length, bytes: bytesOf(entries) },
    unusedSeconds: [Math.min(...unused), Math.max(...unused)],
  };
}

function jsonOf(kinds: readonly Row[]): string {
  const about = { folder: cacheDir(), scansGoAfterDays: daysOfScans() ?? null };
  return JSON.stringify({ ...about, kinds }, null, 2);
}

function listOf(rows: readonly Row[]): string {
  const cells = rows.map(({ kind, holds, entries, bytes, unusedSeconds }) => {
    const [newest, oldest] = unusedSeconds.map((seconds) => `${ageText(seconds)} ago`);
    return [kind, `${entries}`, sizeText(bytes), newest!, oldest!, holds];
  });
  const head = ["", "entries", "size", "last used", "oldest use", ""];
  const days = daysOfScans();
  return [
    `${cacheDir()}: ${sizeText(bytesOf(rows))}`,
    ...(rows.length === 0 ? [] : table([head, ...cells], [0, 5])),
    days === undefined
      ? "scans of patients stay until `bun run cache --clear` (VOXGRAD_CACHE_DAYS is off)"
      : `scans of patients that are not used for ${days} days are removed (VOXGRAD_CACHE_DAYS)`,
  ].join("\n");
}

function ageText(seconds: number): string {
  const days = Math.round(seconds / 86_400);
  return days < 2 ? duration(seconds) : `${days} days`;
}
