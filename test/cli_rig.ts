/** Commands as a user runs them: in processes of their own. */
import { expect } from "bun:test";
import { join } from "node:path";
import { scripts } from "../package.json";

const ROOT = join(import.meta.dir, "..");

/** What a command left: its standard output, its standard error and its exit code. */
export interface Left {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

/** Weights that come with voxgrad would answer where a test means to have none. */
export const NO_WEIGHTS = { VOXGRAD_WEIGHTS: join(ROOT, "no-weights") };

function spawn(words: readonly string[], cwd?: string) {
  const env = { ...NO_WEIGHTS, ...process.env }; // As it is now: tests set variables.
  return Bun.spawn([process.execPath, ...words], { cwd, env, stdout: "pipe", stderr: "pipe" });
}

async function ended(child: ReturnType<typeof spawn>): Promise<Left> {
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

function expectRefused({ err, code }: Left, what: RegExp): void {
  expect(err).toMatch(what);
  expect(err).not.toMatch(/^\s+at /m);
  expect(code).toBe(2);
}

/** Starts a command of package.json, without the install step before it. */
export function start(command: string, args: readonly string[]) {
  const script = scripts[command as keyof typeof scripts].replace(/^bun /, "");
  return spawn([join(ROOT, script), ...args]);
}

/** Runs it to its end. */
export function run(command: string, ...args: string[]): Promise<Left> {
  return ended(start(command, args));
}

/** A command that must end well. */
export async function succeed(command: string, ...args: string[]): Promise<Left> {
  const left = await run(command, ...args);
  expect({ err: left.code === 0 ? "" : left.err, code: left.code }).toEqual({ err: "", code: 0 });
  return left;
}

/** Bad input: one line that says `what`, exit code 2, no stack. */
export async function expectRefusal(
  what: RegExp,
  command: string,
  ...args: string[]
): Promise<void> {
  expectRefused(await run(command, ...args), what);
}

/** Runs a command in the form of the documentation, `bun run NAME …`, to its end. */
export function runDocumented(command: string, ...args: string[]): Promise<Left> {
  return ended(spawn(["run", command, ...args], ROOT));
}

/** As expectRefusal, of `bun run NAME …`. */
export async function expectRefusalOf(what: RegExp, command: string, ...args: string[]) {
  expectRefused(await runDocumented(command, ...args), what);
}
