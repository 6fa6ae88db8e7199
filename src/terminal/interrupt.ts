/** Ctrl-C and other signals end a command's work early, with what it has saved. */
import {
  END_SIGNALS,
  type EndSignal,
  endSignalOf,
  exitCodeOf,
  Interruption,
  outlivesTerminal,
} from "../platform/interruption";

/** The part of a process that `watchInterrupt` needs; a parameter so that a test can send the signals. */
export interface SignalSource {
  on(signal: EndSignal, listener: () => void): unknown;
  off(signal: EndSignal, listener: () => void): unknown;
  exit(code: number): void;
}

export interface Interrupt {
  /** Aborted at the first Ctrl-C; the loop looks at it between steps, then saves and leaves. */
  readonly signal: AbortSignal;
  /** Gives Ctrl-C its ordinary meaning back, unless it has been pressed. */
  dispose(): void;
}

/**
 * A terminal sends Ctrl-C to all of its processes, and `bun run` and `npx` pass on what they got: one
 * press arrives two or three times, within milliseconds. What comes this many seconds after the
 * first is a press of its own.
 */
const SECOND_PRESS = 1;

/**
 * The first Ctrl-C (or SIGTERM, or the SIGHUP of a terminal that closes) asks the loop to save and
 * leave, with an `Interruption` as the signal's reason. The second leaves at once with exit code 128 +
 * the signal's number. A signal is only seen when the event loop turns.
 * @param say prints one line, e.g. a progress bar's `note`.
 * @param controller what the first Ctrl-C aborts: shared by watches that follow one another
 * @param now seconds on a clock that does not jump
 */
export function watchInterrupt(
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
  source: SignalSource = process,
  controller = new AbortController(),
  now: () => number = () => performance.now() / 1000,
): Interrupt {
  const { signal } = controller;
  const received = (name: EndSignal) => {
    if (!signal.aborted) {
      controller.abort(new Interruption(name, now()));
      say("interrupted: saving… (once more to leave without saving)");
      return;
    }
    const { reason } = signal;
    const isCopy = reason instanceof Interruption && now() - reason.time < SECOND_PRESS;
    if (!isCopy) source.exit(exitCodeOf(name));
  };
  const watched = END_SIGNALS.filter((name) => name !== "SIGHUP" || !outlivesTerminal());
  const listeners = watched.map((name) => [name, () => received(name)] as const);
  for (const [name, listener] of listeners) source.on(name, listener);
  return {
    signal,
    dispose: () => {
      // Copies of a press may still come: they must not end the process while it tells what it did.
      if (signal.aborted) return;
      for (const [name, listener] of listeners) source.off(name, listener);
    },
  };
}

/** Says by the exit code that a signal ended the work. */
export function setInterruptedCode(signal: AbortSignal): void {
  process.exitCode = exitCodeOf(endSignalOf(signal));
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
    setInterruptedCode(signal);
  }
}
