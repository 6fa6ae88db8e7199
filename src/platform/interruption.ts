/** Signals that ask a process to end, and the exit code of one that they ended. */
import { readFileSync } from "node:fs";
import { constants } from "node:os";

/** Ctrl-C, a request to end (`kill`, `docker stop`), a terminal that closes. */
export const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type EndSignal = (typeof END_SIGNALS)[number];

/** Exit code of a program that a signal ended: 128 + its number, as shells count. */
export const exitCodeOf = (name: NodeJS.Signals): number => 128 + constants.signals[name];

/** Whether an exit code says that one of these signals ended the program. */
export const isInterruption = (code: number): boolean =>
  END_SIGNALS.some((name) => code === exitCodeOf(name));

/** The reason of an AbortSignal that a signal of the system aborted. */
export class Interruption extends Error {
  override name = "Interruption";

  /** @param time when it came: seconds on the clock of its watch */
  constructor(
    readonly signal: EndSignal,
    readonly time: number,
  ) {
    super(`ended by ${signal}`);
  }
}

/** The signal of the system that aborted; SIGINT where something else did. */
export const endSignalOf = ({ reason }: AbortSignal): EndSignal =>
  reason instanceof Interruption ? reason.signal : "SIGINT";

/**
 * Whether this process was started with SIGHUP ignored, as `nohup` does: then it is to outlive its
 * terminal. Only Linux tells.
 */
export function outlivesTerminal(): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    const bit = 1n << BigInt(constants.signals.SIGHUP - 1);
    return (BigInt(`0x${ignored}`) & bit) !== 0n;
  } catch {
    return false;
  }
}
