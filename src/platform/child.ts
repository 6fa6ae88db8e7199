import { type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Runs this interpreter with `args` until it exits, in a process group of its own: Ctrl-C reaches it
 * once, from here, when `signal` aborts. @returns its exit code
 */
export async function runChild(
  args: readonly string[],
  stdio: StdioOptions,
  signal: AbortSignal,
): Promise<number> {
  const detached = process.platform !== "win32"; // there it would open a window
  const child = spawn(process.execPath, args, { stdio, detached });
  const interrupt = () => child.kill("SIGINT");
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 1;
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}
