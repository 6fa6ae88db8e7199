/** The limit on the memory that a process may map (`ulimit -v`), which Bun and drivers need much of. */
import { readFileSync } from "node:fs";
import { UserError } from "../core/errors";

/** Bytes with which training works; with less Bun or a driver ends anywhere, without a word. */
const NEEDED = 6 * 2 ** 30;

/**
 * Before a driver is loaded. Only Linux tells.
 * @param limits for tests: the text of /proc/self/limits
 * @throws UserError where this process may map too little
 */
export function checkAddressSpace(limits = limitsHere()): void {
  const bytes = Number(/^Max address space +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  if (bytes >= NEEDED) return;
  throw new UserError(
    `this process may map ${(bytes / 2 ** 30).toFixed(1)} GiB of memory (ulimit -v): drivers need ` +
      `${NEEDED / 2 ** 30} GiB or more; raise that limit, or take it away`,
  );
}

function limitsHere(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
