/** Files, counts and times of `bun run test` (test/runner). */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { countsOf, notesOf, ordered, secondsLeft } from "./runner/plan";
import recorded from "./runner/seconds.json";
import { failuresOf, summaryOf } from "./runner/summary";

const ROOT = join(import.meta.dir, "..");
const seconds = { a: 60, b: 10, c: 30 };

test("the smoke test goes first, then the longest; what is not known is taken for short", () => {
  expect(ordered(["new", "b", "a", "test/smoke/add.test.ts", "c"], seconds)).toEqual([
    ...["test/smoke/add.test.ts", "a", "c", "b", "new"],
  ]);
});

test("seconds are recorded of files that there are", () => {
  expect(Object.keys(recorded).filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

describe("the time that is left", () => {
  test("is what was recorded, shared by the processes", () => {
    expect(secondsLeft(seconds, new Map(), [], ["a", "b", "c"], 2)).toBe(60);
    expect(secondsLeft(seconds, new Map(), [], ["b", "c", "c", "c"], 2)).toBe(50);
    expect(secondsLeft(seconds, new Map(), [{ file: "a", seconds: 50 }], ["c"], 1)).toBe(40);
  });

  test("follows the pace of the files that have ended", () => {
    const twiceAsSlow = new Map([["b", 20]]);
    expect(secondsLeft(seconds, twiceAsSlow, [], ["c"], 1)).toBe(60);
    expect(secondsLeft(seconds, twiceAsSlow, [{ file: "c", seconds: 100 }], [], 1)).toBe(0);
  });
});

describe("the counts of a process", () => {
  const tail = "\n 12 pass\n 3 skip\n 1 fail\n 40 expect() calls\nRan 16 tests across 1 file.\n";

  test("are those that Bun ends with, in colour or not", () => {
    expect(countsOf(`(pass) 7 pass\n${tail}`)).toEqual({ pass: 12, fail: 1, skip: 3 });
    const coloured = tail.replace("1 fail", "\x1b[31m1 fail\x1b[0m");
    expect(countsOf(coloured)).toEqual({ pass: 12, fail: 1, skip: 3 });
  });

  test("are none where it died", () => {
    expect(countsOf("Segmentation fault\n")).toEqual({ pass: 0, fail: 0, skip: 0 });
  });

  test("what was not tested is passed on", () => {
    const output = "bun test\nops are not tested on lavapipe: no driver\n(pass) x\n";
    expect(notesOf(output)).toEqual(["ops are not tested on lavapipe: no driver"]);
  });
});

test("a failure is told with what led to it and without the tests before it", () => {
  const output =
    "of the pass\n(pass) a [1ms]\nerror: 1 is not 2\n\x1b[31m(fail)\x1b[0m b [2ms]\nend\n";
  expect(failuresOf(output)).toEqual(["error: 1 is not 2\n(fail) b [2ms]"]);
  expect(failuresOf(`${output}\n1 test failed:\n(fail) b [2ms]\n`)).toEqual(failuresOf(output));
  const long = `${"line\n".repeat(100)}(fail) c\n(fail) d\n`;
  expect(failuresOf(long).map((failure) => failure.split("\n").length)).toEqual([40, 1]);
});

test("the summary: the slowest first, what failed, the counts last", () => {
  const ended = (file: string, seconds: number, fail: number, output: string) => ({
    ...{ file, seconds, output, processor: seconds, ok: fail === 0 },
    counts: { pass: 2, fail, skip: 1 },
  });
  const files = [
    ended("a", 3, 0, "(pass) x"),
    ended("b", 70, 1, "error\n(fail) y"),
    ended("c", 5, 1, "Segmentation fault"),
  ];
  expect(summaryOf(files)).toEqual([
    ...["slowest: b 70 s, c 5 s, a 3 s", "failed: b", "error\n(fail) y"],
    ...["failed: c", "Segmentation fault", " 6 pass", " 2 fail", " 3 skip"],
  ]);
});

test("arguments go to bun test, and its exit code comes back", async () => {
  const run = async (...args: string[]) => {
    const child = Bun.spawn([process.execPath, "test/runner/main.ts", ...args], {
      ...{ cwd: ROOT, stdout: "pipe", stderr: "pipe" },
    });
    const output = (await new Response(child.stderr).text()) + (await child.exited);
    return { code: child.exitCode, counts: countsOf(output) };
  };
  const known = await run("test/random.test.ts", "-t", "known answer, counter 0");
  expect(known).toEqual({ code: 0, counts: { pass: 1, fail: 0, skip: 0 } });
  expect((await run("test/random.test.ts", "-t", "no test of this name")).code).toBe(1);
});
