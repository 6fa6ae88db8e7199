/** Results on standard output, as a shell passes them on: a full disk, a reader that goes away. */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Glob } from "bun";
import { writeMask } from "../src/data/nifti_write";

const ROOT = join(import.meta.dir, "..");
const folder = mkdtempSync(join(tmpdir(), "voxgrad-output-"));
afterAll(() => rmSync(folder, { recursive: true }));

const mask = join(folder, "mask.nii.gz");
await writeMask(mask, {
  size: [4, 3, 2],
  affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
  data: Uint8Array.from({ length: 24 }, (_, i) => +(i < 9)),
});
const evaluate = ["evaluate", "--reference", mask, "--prediction", mask, "--json"];

/** @param to the rest of a shell's line after the command */
function bunRun(args: readonly string[], to: string) {
  const line = `"$@" ${to}; exit \${PIPESTATUS[0]}`;
  const words = ["-c", line, "-", process.execPath, "run", ...args];
  const { stdout, stderr, status } = spawnSync("bash", words, { cwd: ROOT, encoding: "utf8" });
  const said = stderr
    .split("\n")
    .filter((text) => text !== "" && !/^(\$|error: script)/.test(text));
  return { out: stdout, said, code: status };
}

describe.skipIf(!existsSync("/dev/full"))("a full disk fails the command in one line", () => {
  for (const args of [evaluate, ["cache", "--json"], ["train", "--help"]]) {
    test(`${args[0]} ${args.at(-1)}`, () => {
      const { said, code } = bunRun(args, "> /dev/full");
      expect({ said, code }).toEqual({
        said: ["voxgrad: standard output: cannot be written: the disk is full; free some space"],
        code: 2,
      });
    });
  }
});

test("a reader that has read enough, or nothing, is no failure", () => {
  expect(bunRun(evaluate, "| head -n 1")).toEqual({ out: "{\n", said: [], code: 0 });
  expect(bunRun(evaluate, "| true")).toEqual({ out: "", said: [], code: 0 });
});

test("a slow reader gets everything", () => {
  const { out, code } = bunRun(evaluate, "| (sleep 1; cat)");
  expect({ dice: JSON.parse(out).dice, code }).toEqual({ dice: 1, code: 0 });
});

test("an error keeps its exit code where nobody reads it", () => {
  const wrong = ["evaluate", "--reference", join(folder, "none.nii"), "--prediction", mask];
  expect(bunRun(wrong, "2>&1 | true").code).toBe(2);
});

test("commands print results by printResult alone: console.log loses what cannot be written", () => {
  const own = /^src\/portability\/hosts\/|^bench\/(first_step|isa\/\w+_child)\.ts$/; // read by programs of ours
  const files = ["src/**/*.ts", "bench/**/*.ts"].flatMap((glob) => [
    ...new Glob(glob).scanSync(ROOT),
  ]);
  const wrong = files.filter(
    (file) => !own.test(file) && /\bconsole\.log\(/.test(readFileSync(join(ROOT, file), "utf8")),
  );
  expect(wrong).toEqual([]);
});
