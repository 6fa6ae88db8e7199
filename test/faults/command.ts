/** Commands as a user types them, `bun run NAME …`, with a time limit, and verdicts on how they ended. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tried } from "./part";

export const ROOT = join(import.meta.dir, "../..");

/** What a command left. */
export interface Left {
  readonly out: string;
  readonly err: string;
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: string | number | null;
  readonly isLate: boolean;
  /** Peak memory of its processes. */
  readonly bytes: number;
  readonly seconds: number;
}

export interface How {
  /** A program that runs the command, with its arguments. */
  readonly before?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** After them it is ended, with its children. */
  readonly seconds?: number;
  /** Called with the process id as soon as it has started. */
  readonly onStart?: (pid: number) => void;
}

/** Groups of commands that run; with the process they end, also by SIGTERM. */
const running = new Set<number>();

function endAll(): void {
  for (const group of running) {
    try {
      process.kill(-group, "SIGKILL");
    } catch {} // It has ended.
  }
}

const endWithAll = () => process.exit(1);

// Without a listener a signal ends also a process that is busy; one with a command only waits.
function began(group: number): void {
  if (running.size === 0) process.on("exit", endAll).on("SIGTERM", endWithAll);
  running.add(group);
}

function finished(group: number): void {
  running.delete(group);
  if (running.size === 0) process.off("exit", endAll).off("SIGTERM", endWithAll);
}

/** Runs `bun run …` to its end. */
export async function bunRun(args: readonly string[], how: How = {}): Promise<Left> {
  const { before = [], env = {}, seconds = 120, onStart } = how;
  const start = performance.now();
  // A process group of its own: a command that hangs is ended with all of its children.
  const child = Bun.spawn([...before, process.execPath, "run", ...args], {
    ...{ cwd: ROOT, stdin: "ignore", stdout: "pipe", stderr: "pipe", detached: true },
    env: { ...process.env, ...env },
  });
  began(child.pid);
  onStart?.(child.pid);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    process.kill(-child.pid, "SIGKILL");
  }, 1000 * seconds);
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  clearTimeout(timer);
  finished(child.pid);
  return {
    ...{ out, err, isLate, code: child.exitCode, signal: child.signalCode },
    bytes: child.resourceUsage()?.maxRSS ?? 0,
    seconds: (performance.now() - start) / 1000,
  };
}

const hasStack = (err: string) => /^\s+at |\b[A-Z]\w*(?:Error|Exception): /m.test(err);

/** A command that ended in neither of the two documented ways. */
function crashed({ err, code, signal, isLate, bytes, seconds }: Left): Tried | undefined {
  if (isLate) return { end: "hang", text: `no end after ${Math.round(seconds)} s\n${err}`, bytes };
  if (signal !== null) return { end: "stack", text: `ended by ${signal}\n${err}`, bytes };
  if (hasStack(err) || (code !== 0 && code !== 2)) {
    return { end: "stack", text: `exit code ${code}\n${err}`, bytes };
  }
  return undefined;
}

/** The command must end with code 2 and one line that says `expected`. */
export function judgeRefusal(left: Left, expected: RegExp): Tried {
  const { err, code, bytes } = left;
  const bad = crashed(left);
  if (bad) return bad;
  if (code === 0)
    return { end: "silent", text: `exit code 0, expected ${expected}\n${err}`, bytes };
  const lines = err.split("\n").filter((line) => line.startsWith("voxgrad: "));
  const isClear = lines.length === 1 && expected.test(lines[0]!);
  return isClear
    ? { end: "refused", bytes }
    : { end: "unclear", text: `expected ${expected}\n${err}`, bytes };
}

/**
 * The command must end well.
 * @param wrong says what is not right with what it left
 */
export function judgeSuccess(left: Left, wrong: () => string | undefined = () => undefined): Tried {
  const { err, code, bytes } = left;
  const bad = crashed(left);
  if (bad) return bad;
  if (code !== 0) return { end: "unclear", text: `exit code ${code}\n${err}`, bytes };
  const text = wrong();
  return text === undefined ? { end: "right", bytes } : { end: "silent", text, bytes };
}

/** Why a program cannot be used here; undefined where it can. */
export function lacking(program: string, ...args: readonly string[]): string | undefined {
  const path = Bun.which(program);
  if (path === null) return `no ${program} here`;
  if (args.length === 0) return undefined;
  const { exitCode } = Bun.spawnSync([path, ...args], { stdout: "ignore", stderr: "ignore" });
  return exitCode === 0 ? undefined : `${program} may not ${args[0]} here`;
}

/** The processes of a group, by /proc. */
export function processesOf(group: number): number[] {
  const entries = [...new Bun.Glob("[0-9]*").scanSync({ cwd: "/proc", onlyFiles: false })];
  return entries.map(Number).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]) === group;
    } catch {
      return false;
    }
  });
}
