import { destroyDevices } from "../gpu/device";
import { daysOfScans, removeOldScans } from "../platform/cache_entries";
import { say } from "./command";
import { lineFor } from "./error_line";
import { sizeText } from "./read";
import { resultsWritten } from "./result";

/**
 * Runs a command: a `UserError` becomes one line on stderr and exit code 2, and so does what the
 * system or its memory refuses; any other error keeps its stack and becomes exit code 1. Devices that are still open are destroyed at the end.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  ignoreClosedReader();
  try {
    sayOldScans();
    await main();
    await resultsWritten();
  } catch (error) {
    const line = lineFor(error);
    if (line !== undefined) {
      console.error(`voxgrad: ${line}`);
      process.exitCode = 2;
    } else {
      console.error(error);
      process.exitCode = 1;
    }
  } finally {
    destroyDevices();
  }
}

/** Scans of patients do not stay in the cache for ever. */
function sayOldScans(): void {
  const removed = removeOldScans();
  if (removed.length === 0) return;
  const bytes = removed.reduce((sum, entry) => sum + entry.bytes, 0);
  say(
    `cache: removed ${removed.length} prepared scans and synthetic cohorts (${sizeText(bytes)}) that were ` +
      `not used for ${daysOfScans()} days`,
  );
}

/**
 * A line that nobody reads is no failure of the work: the reader of `2>&1 | head` is gone after some
 * lines, and so is a terminal that was closed.
 */
function ignoreClosedReader(): void {
  process.stderr.on("error", () => {});
}
