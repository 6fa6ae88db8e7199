/** Commands as a user runs them: in processes of their own. */
import { expect } from "bun:test";
import { join } from "node:path";
import { scripts } from "../package.json";

const ROOT = join(import.meta.dir, "..");

/** Starts a command of package.json as a user does. */
export function start(command: string, args: readonly string[]) {
  const script = scripts[command as keyof typeof scripts].replace(/^bun /, "");
  const words = [process.execPath, join(ROOT, script), ...args];
  return Bun.spawn(words, { stdout: "pipe", stderr: "pipe" });
}

/** Runs it to its end. */
export async function run(command: string, ...args: string[]) {
  const child = start(command, args);
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

/** Bad input: one line that says `what`, exit code 2, no stack. */
export async function expectRefusal(
  what: RegExp,
  command: string,
  ...args: string[]
): Promise<void> {
  const { err, code } = await run(command, ...args);
  expect(err).toMatch(what);
  expect(err).not.toMatch(/^\s+at /m);
  expect(code).toBe(2);
}

const ROOT = join(import.meta.dir, "..");

/** Runs a command in the form of the documentation, `bun run NAME …`, to its end. */
export async function runDocumented(command: string, ...args: string[]) {
  const child = Bun.spawn([process.execPath, "run", command, ...args], {
    cwd: ROOT,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

/** As expectRefusal, of `bun run NAME …`. */
export async function expectRefusalOf(what: RegExp, command: string, ...args: string[]) {
  const { err, code } = await runDocumented(command, ...args);
  expect(err).toMatch(what);
  expect(err).not.toMatch(/^\s+at /m);
  expect(code).toBe(2);
}
