import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../src/core/errors";
import { lockRunFolder } from "../src/run/run_lock";

const folder = () => mkdtempSync(join(tmpdir(), "voxgrad-lock-"));
const lockOf = (path: string) => join(path, "train.lock");
const since = "2025-01-02T03:04:05.000Z";
const module = join(import.meta.dir, "..", "src", "run", "run_lock.ts");

/** Another process that locks `path`, says so, and ends when its input does. */
function holder(path: string) {
  const script = `import { lockRunFolder } from ${JSON.stringify(module)};
    lockRunFolder(${JSON.stringify(path)});
    console.log("locked");
    process.stdin.on("end", () => process.exit(3)).resume();`;
  return Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stdout: "pipe" });
}

async function said(child: ReturnType<typeof holder>): Promise<void> {
  const { value } = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("locked\n");
}

test("a second process is refused in one line, until the first has ended", async () => {
  const path = folder();
  const first = holder(path);
  await said(first);
  expect(() => lockRunFolder(path)).toThrow(UserError);
  expect(() => lockRunFolder(path)).toThrow(
    new RegExp(`^${path}: process ${first.pid} on .* trains in this folder since .*--out$`),
  );
  first.stdin.end();
  expect(await first.exited).toBe(3);
  expect(existsSync(lockOf(path)), "removed when the process ends").toBe(false);
  lockRunFolder(path)();
  expect(existsSync(lockOf(path))).toBe(false);
});

test("the lock of a killed process is taken over", async () => {
  const path = folder();
  const first = holder(path);
  await said(first);
  first.kill("SIGKILL");
  await first.exited;
  expect(existsSync(lockOf(path))).toBe(true);
  const release = lockRunFolder(path);
  expect(JSON.parse(readFileSync(lockOf(path), "utf8")).pid).toBe(process.pid);
  release();
});

test("a damaged lock, and one of an earlier process with our number, are taken over", () => {
  const path = folder();
  for (const text of [
    "",
    "{",
    "{}",
    JSON.stringify({ pid: process.pid, host: hostname(), since }),
  ]) {
    writeFileSync(lockOf(path), text);
    lockRunFolder(path)();
    expect(existsSync(lockOf(path))).toBe(false);
  }
});

test("a lock of another machine is respected", () => {
  const path = folder();
  writeFileSync(lockOf(path), JSON.stringify({ pid: 1, host: "elsewhere.invalid", since }));
  expect(() => lockRunFolder(path)).toThrow(
    /process 1 on elsewhere\.invalid .*delete .*train\.lock/,
  );
});
