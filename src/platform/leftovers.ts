/** Names for what is being written, and the removal of what a crash left under such a name. */
import { createHash, randomUUID } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isRunning, thisPlace } from "./process_identity";

/** `.voxgrad-<where process numbers count>-<process>-<random>.tmp` */
const NAME = /^\.voxgrad-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp$/;
/** Nothing takes this long to write. */
const DAY_MS = 86_400_000;

/** Tells machines, starts of a machine and containers apart: a process number says nothing elsewhere. */
const here = (() => {
  const { host, boot = "", space = "" } = thisPlace();
  const hash = createHash("sha256").update(`${host}\n${boot}\n${space}\n`);
  return hash.digest("hex").slice(0, 8);
})();

function orUndefined<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** A new hidden path in `folder`, for a file or a folder that gets its real name when it is complete. */
export function temporaryPath(folder: string): string {
  return join(folder, `.voxgrad-${here}-${process.pid}-${randomUUID().slice(0, 8)}.tmp`);
}

/**
 * Removes what processes that are gone left in `folder` under a `temporaryPath`. One of another
 * machine, start or container cannot be asked: its leftovers go when they are a day old.
 */
export function sweepLeftovers(folder: string): void {
  for (const name of orUndefined(() => readdirSync(folder)) ?? []) {
    const [, place, pid] = NAME.exec(name) ?? [];
    if (place === undefined) continue;
    const path = join(folder, name);
    const isGone = place === here && !isRunning(Number(pid));
    if (isGone || ageMs(path) > DAY_MS) removeQuietly(path);
  }
}

const swept = new Set<string>();

/** The same, at the first time that this process writes into the folder. */
export function sweepOnce(folder: string): void {
  if (swept.has(folder)) return;
  swept.add(folder);
  sweepLeftovers(folder);
}

const ageMs = (path: string): number =>
  Date.now() - (orUndefined(() => statSync(path).mtimeMs) ?? Date.now());

/**
 * Removes a file or folder if it can be removed. For cleaning up: what could not be done there
 * (a read-only file system, a folder that is a file) must not hide the error that led to it.
 */
export function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {}
}
