import { afterEach, expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Interruption, isInterruption } from "../src/platform/interruption";
import { type SignalSource, untilInterrupted, watchInterrupt } from "../src/terminal/interrupt";

/** A process that remembers its exits, a clock that is set, and a watch of them. */
function watched() {
  const exits: number[] = [];
  const source: SignalSource & EventEmitter = Object.assign(new EventEmitter(), {
    exit: (code: number) => exits.push(code),
  });
  const clock = { seconds: 50 };
  const lines: string[] = [];
  const say = (line: string) => lines.push(line);
  const interrupt = watchInterrupt(say, source, undefined, () => clock.seconds);
  return { exits, source, clock, lines, interrupt };
}

afterEach(() => {
  process.exitCode = 0;
});

for (const [name, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  test(`the first ${name} asks to save, one after a second leaves with ${code}`, () => {
    const { exits, source, clock, lines, interrupt } = watched();
    expect(interrupt.signal.aborted).toBe(false);
    source.emit(name);
    expect(interrupt.signal.aborted).toBe(true);
    expect(interrupt.signal.reason).toBeInstanceOf(Interruption);
    expect(lines).toEqual(["interrupted: saving… (once more to leave without saving)"]);
    clock.seconds += 1.5;
    source.emit(name);
    expect(exits).toEqual([code]);
    expect(isInterruption(code)).toBe(true);
  });
}

test("copies of one press, which runners pass on, do not leave; nor do quick presses", () => {
  const { exits, source, clock, lines, interrupt } = watched();
  source.emit("SIGINT");
  for (const milliseconds of [3, 17, 200, 700]) {
    clock.seconds += milliseconds / 1000;
    source.emit("SIGINT");
  }
  expect(exits).toEqual([]);
  expect(lines.length).toBe(1);
  clock.seconds += 0.2;
  source.emit("SIGINT");
  expect(exits).toEqual([130]);
  interrupt.dispose();
});

test("after the work a signal ends the process as ever, but copies of a press do not", () => {
  const quiet = watched();
  quiet.interrupt.dispose();
  expect(quiet.source.eventNames()).toEqual([]);
  const pressed = watched();
  pressed.source.emit("SIGINT");
  pressed.interrupt.dispose();
  pressed.source.emit("SIGINT");
  expect(pressed.exits).toEqual([]);
});

test("the exit code tells the signal; errors stay errors", async () => {
  const { source, interrupt } = watched();
  const { signal } = interrupt;
  source.emit("SIGTERM");
  await untilInterrupted(signal, async () => signal.throwIfAborted());
  expect(process.exitCode).toBe(143);
  const failed = untilInterrupted(signal, () => Promise.reject(new Error("another")));
  expect(failed).rejects.toThrow("another");
});

const LINUX = process.platform === "linux";
const module = join(import.meta.dir, "..", "src", "platform", "interruption.ts");

test.skipIf(!LINUX)("a process that was started by nohup is to outlive its terminal", async () => {
  const script = `console.log((await import(${JSON.stringify(module)})).outlivesTerminal())`;
  const asks = (before: string) => {
    const command = `${before} exec "$0" -e '${script}'`;
    return Bun.spawn(["sh", "-c", command, process.execPath], { stdout: "pipe" });
  };
  expect(await new Response(asks("").stdout).text()).toBe("false\n");
  expect(await new Response(asks("trap '' HUP;").stdout).text()).toBe("true\n");
});

test.skipIf(process.platform === "win32")(
  "a child gets each press once, and the second with its parent's end",
  async () => {
    const source = (path: string) => JSON.stringify(join(import.meta.dir, "..", "src", path));
    const log = join(mkdtempSync(join(tmpdir(), "voxgrad-child-")), "log");
    // The child saves for ever; a second press ends it.
    const child = `
    import { appendFileSync } from "node:fs";
    const say = (text) => appendFileSync(${JSON.stringify(log)}, text + "\\n");
    let count = 0;
    process.on("SIGTERM", () => { say("SIGTERM"); if (++count === 2) process.exit(3); });
    say("ready");
    setInterval(() => {}, 1000);`;
    const parent = `
    import { watchInterrupt } from ${source("terminal/interrupt.ts")};
    import { runChild } from ${source("platform/child.ts")};
    const { signal } = watchInterrupt();
    await runChild(["-e", ${JSON.stringify(child)}], "inherit", signal);`;
    // The runner's --no-orphans reaches every Bun below it: the parent's end would kill the child before it has
    // heard the second press.
    const env = { ...process.env, BUN_FEATURE_FLAG_NO_ORPHANS: undefined };
    const started = Bun.spawn([process.execPath, "-e", parent], { stderr: "ignore", env });
    const logged = async (lines: number) => {
      const text = () => (existsSync(log) ? readFileSync(log, "utf8") : "");
      while (text().split("\n").length <= lines) await Bun.sleep(20);
      return text();
    };
    await logged(1);
    started.kill("SIGTERM");
    await logged(2);
    started.kill("SIGTERM"); // a copy
    await Bun.sleep(1200);
    expect(started.exitCode).toBe(null);
    started.kill("SIGTERM");
    expect(await started.exited).toBe(143);
    expect(await logged(3)).toBe("ready\nSIGTERM\nSIGTERM\n");
  },
);
