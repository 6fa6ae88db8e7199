import { type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { endSignalOf, exitCodeOf } from "./interruption";

/** How to end each child that runs. */
const ends = new Set<() => void>();

function endAll(): void {
  for (const end of ends) end();
}

/**
 * Runs this interpreter with `args` until it exits, in a process group of its own: a signal reaches
 * it once, from here, when `signal` aborts, and once more when this process exits before it.
 * @returns its exit code; 128 + the signal's number where a signal ended it
 */
export async function runChild(
  args: readonly string[],
  stdio: StdioOptions,
  signal: AbortSignal,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<number> {
  const detached = process.platform !== "win32"; // there it would open a window
  const child = spawn(process.execPath, args, { stdio, detached, env });
  const end = () => child.kill(endSignalOf(signal));
  signal.addEventListener("abort", end, { once: true });
  if (ends.size === 0) process.on("exit", endAll);
  ends.add(end);
  try {
    const [code, name] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    return code ?? (name === null ? 1 : exitCodeOf(name));
  } finally {
    signal.removeEventListener("abort", end);
    ends.delete(end);
    if (ends.size === 0) process.off("exit", endAll);
  }
}
