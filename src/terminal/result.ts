/** Results on standard output: what cannot be written there fails the command. */
import { writeSync } from "node:fs";
import { writeProblem } from "../platform/atomic_file";

const NAME = "standard output";
const STDOUT = 1;

const pending = new Set<Promise<void>>();
let failure: Error | undefined;

/** Writes a result and a line break. `runMain` reports what could not be written. */
export function printResult(text: string): void {
  const { stdout } = process;
  // Without a listener the error would end the process as one that nobody caught.
  if (stdout.listenerCount("error") === 0) stdout.on("error", () => {});
  const { promise, resolve } = Promise.withResolvers<void>();
  const written = promise.finally(() => pending.delete(written));
  pending.add(written);
  stdout.write(`${text}\n`, (error) => {
    if (error && !isClosed(error)) failure ??= error;
    resolve();
  });
}

/** Waits until all results are written. @throws UserError when one could not be */
export async function resultsWritten(): Promise<void> {
  await Promise.all(pending);
  if (failure) throw writeProblem(NAME, failure);
}

/** Writes at once, for a process that exits next. @throws UserError when it cannot */
export function printNow(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at);
  } catch (error) {
    if (!isClosed(error as Error)) throw writeProblem(NAME, error);
  }
}

/** The reader has what it wanted, as in `| head -1`. */
const isClosed = (error: Error): boolean => (error as NodeJS.ErrnoException).code === "EPIPE";
