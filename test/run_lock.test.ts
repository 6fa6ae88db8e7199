import { expect, test } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { UserError } from "../src/core/errors";
import { startOf, thisPlace } from "../src/platform/process_identity";
import { lockRunFolder } from "../src/run/run_lock";

const folder = () => mkdtempSync(join(tmpdir(), "voxgrad-lock-"));
const lockOf = (path: string) => join(path, "train.lock");
const since = "2025-01-02T03:04:05.000Z";
const module = join(import.meta.dir, "..", "src", "run", "run_lock.ts");

/** Another process that locks `path`, says so, and ends when its input does. */
function holder(path: string) {
  const script = `import { lockRunFolder } from ${JSON.stringify(module)};
    lockRunFolder(${JSON.stringify(path)}, "train.lock", 0.05);
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
  lockRunFolder(path).release();
  expect(existsSync(lockOf(path))).toBe(false);
});

test("the lock of a killed process is taken over", async () => {
  const path = folder();
  const first = holder(path);
  await said(first);
  first.kill("SIGKILL");
  await first.exited;
  expect(existsSync(lockOf(path))).toBe(true);
  const { release } = lockRunFolder(path);
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
    lockRunFolder(path).release();
    expect(existsSync(lockOf(path))).toBe(false);
  }
});

const here = thisPlace();

/** A folder whose lock is of this owner, and was touched so many seconds ago. */
function lockedBy(owner: object, secondsAgo = 0): string {
  const path = folder();
  writeFileSync(lockOf(path), JSON.stringify({ pid: 1, since, ...here, ...owner }));
  const touched = Date.now() / 1000 - secondsAgo;
  utimesSync(lockOf(path), touched, touched);
  return path;
}

const taken = (path: string) => lockRunFolder(path).release();
const refused = (path: string, what = /trains in this folder/) =>
  expect(() => lockRunFolder(path)).toThrow(what);

test("a lock of another machine is respected as long as its owner touches it", () => {
  const elsewhere = { host: "elsewhere.invalid", boot: "b", space: "s", touches: 30 };
  refused(
    lockedBy(elsewhere),
    /process 1 on elsewhere\.invalid .*wait 5 min, or delete .*train\.l/,
  );
  refused(lockedBy(elsewhere, 200));
  taken(lockedBy(elsewhere, 400));
  // An owner of an earlier version never touched it.
  refused(lockedBy({ host: "elsewhere.invalid", boot: undefined }, 1e6), /is gone: delete .*lock/);
});

test("of this machine: another container counts by its touches, another start of it is over", () => {
  if (here.boot === undefined) return; // this system does not tell
  refused(lockedBy({ space: "pid:[1]", touches: 30 }));
  taken(lockedBy({ space: "pid:[1]", touches: 30 }, 400));
  const boot = "9d0b2f3e-0000-0000-0000-000000000000";
  taken(lockedBy({ boot, touches: 1e9 }, uptime() + 60));
  refused(lockedBy({ boot, touches: 30 })); // touched now: another machine of this name
});

test("a process number that is used again is no owner", async () => {
  const sleeper = Bun.spawn(["sleep", "600"]);
  const { pid } = sleeper;
  refused(lockedBy({ pid, started: startOf(pid) }, 1e6));
  if (startOf(pid) !== undefined) {
    taken(lockedBy({ pid, started: "17" }));
    taken(lockedBy({ pid: process.pid, started: "17" }));
  }
  sleeper.kill();
  await sleeper.exited;
  expect(startOf(pid)).toBeUndefined();
  taken(lockedBy({ pid, started: "17" }));
});

test("a process cannot train twice in a folder", () => {
  const path = folder();
  const lock = lockRunFolder(path);
  refused(path, new RegExp(`process ${process.pid} `));
  lock.release();
  taken(path);
});

test("an owner touches its lock, and saves nothing once another process has taken it", async () => {
  const path = folder();
  const first = holder(path);
  await said(first);
  utimesSync(lockOf(path), 1, 1);
  while (statSync(lockOf(path)).mtimeMs < 1e12) await Bun.sleep(20);
  first.stdin.end();
  await first.exited;
  const lock = lockRunFolder(path);
  lock.check();
  const text = readFileSync(lockOf(path), "utf8");
  writeFileSync(lockOf(path), JSON.stringify({ pid: 7, host: "elsewhere", since }));
  expect(lock.check).toThrow(/process 7 on elsewhere has taken this folder over.*nothing more is/);
  lock.release();
  expect(existsSync(lockOf(path)), "the other one's lock stays").toBe(true);
  expect(JSON.parse(text)).toMatchObject({ pid: process.pid, touches: 30 });
});
