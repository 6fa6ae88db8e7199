/** The part of a process that `watchInterrupt` needs; a parameter so that a test can send the signals. */
export interface SignalSource {
  on(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  off(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  exit(code: number): void;
}

export interface Interrupt {
  /** Aborted at the first Ctrl-C; the loop looks at it between steps, then saves and leaves. */
  readonly signal: AbortSignal;
  /** Gives Ctrl-C its ordinary meaning back. */
  dispose(): void;
}

/** Exit code of a program that Ctrl-C ended: 128 + SIGINT, as shells count. */
export const INTERRUPTED = 130;

/**
 * The first Ctrl-C (or SIGTERM) asks the loop to save and leave, the second leaves at once with
 * exit code 130. A signal is only seen when the event loop turns.
 * @param say prints one line, e.g. a progress bar's `note`.
 * @param controller what the first Ctrl-C aborts: shared by watches that follow one another
 */
export function watchInterrupt(
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
  source: SignalSource = process,
  controller = new AbortController(),
): Interrupt {
  const listener = () => {
    if (controller.signal.aborted) {
      source.exit(INTERRUPTED);
      return;
    }
    controller.abort();
    say("interrupted: saving… (once more to leave without saving)");
  };
  source.on("SIGINT", listener);
  source.on("SIGTERM", listener);
  return {
    signal: controller.signal,
    dispose: () => {
      source.off("SIGINT", listener);
      source.off("SIGTERM", listener);
    },
  };
}

/** Runs a command's work. Where it ends by the signal's reason, the exit code says so. */
export async function untilInterrupted(
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    process.exitCode = INTERRUPTED;
  }
}
