/** `bun run train` in a process of its own: the memory of its device is free again when it ends. */
import type { StdioOptions } from "node:child_process";
import { fileURLToPath } from "node:url";
import { withoutLauncher } from "../mpi/launch";
import { runChild } from "../platform/child";
import { endSignalOf, exitCodeOf } from "../platform/interruption";

const TRAIN = fileURLToPath(new URL("../cli/train.ts", import.meta.url));

/**
 * Trains in a process group of its own, which Ctrl-C reaches through `signal` alone.
 * @param args of the command
 * @param signal ends the training with everything saved
 * @returns the exit code
 */
export async function trainInProcess(
  args: readonly string[],
  stdio: StdioOptions,
  signal: AbortSignal,
): Promise<number> {
  if (signal.aborted) return exitCodeOf(endSignalOf(signal));
  // It trains alone, even where this process is one of several that a launcher has started.
  return runChild([TRAIN, ...args], stdio, signal, withoutLauncher(process.env));
}
