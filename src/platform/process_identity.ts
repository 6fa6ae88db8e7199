/** Processes told apart: from later ones with the same number, and from those of other machines. */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname, uptime } from "node:os";

/** What a process number means something in: a machine, a start of it, and a container. */
export interface Place {
  readonly host: string;
  /** Of the start of the machine; only Linux tells, and `space` too. */
  readonly boot?: string;
  readonly space?: string;
}

export function thisPlace(): Place {
  return {
    host: hostname(),
    boot: orUndefined(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
    space: orUndefined(() => readlinkSync("/proc/self/ns/pid")),
  };
}

/** When this machine was started: milliseconds of its clock. */
export const bootTime = (): number => Date.now() - 1000 * uptime();

/** Whether a process of this place is there now. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * When a process of this place was started, in the system's own count: with its number, it is told from
 * every other one. Undefined where it is gone, and on systems that do not tell.
 */
export function startOf(pid: number): string | undefined {
  const text = orUndefined(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // proc_pid_stat(5): fields 3 and 22. The program's name, field 2 in brackets, may hold anything.
  const [state = "", ...fields] = text?.slice(text.lastIndexOf(")") + 2).split(" ") ?? [];
  const hasEnded = state === "Z" || state === "X"; // nobody has asked for its exit code yet
  return hasEnded ? undefined : fields[18];
}

function orUndefined<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
