/** Files appear whole or not at all, and what a crash leaves is swept at the next start. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { UserError } from "../src/core/errors";
import { writeAllAtomically, writeAtomically } from "../src/platform/atomic_file";
import { removeQuietly, sweepLeftovers, temporaryPath } from "../src/platform/leftovers";

const scratch = mkdtempSync(join(tmpdir(), "voxgrad-atomic-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const folder = (name: string) => {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
};
const text = (path: string) => readFileSync(path, "utf8");
const root = join(import.meta.dir, "..");

describe("writing", () => {
  test("text, bytes and arrays that follow each other; nothing is left beside them", () => {
    const inside = folder("kinds");
    const path = join(inside, "a");
    writeAtomically(path, "ünï");
    expect(text(path)).toBe("ünï");
    writeAtomically(path, new Uint8Array([1, 2]).subarray(1));
    expect([...readFileSync(path)]).toEqual([2]);
    writeAtomically(path, [Float32Array.of(0.5), Uint8Array.of(7)], { flush: false });
    expect([...readFileSync(path)]).toEqual([0, 0, 0, 0x3f, 7]);
    expect(readdirSync(inside)).toEqual(["a"]);
  });

  test("a symbolic link stays one, and leads to the new file, also where none was yet", () => {
    const inside = folder("links");
    const target = join(inside, "target");
    const link = join(folder("elsewhere"), "link");
    symlinkSync(target, link);
    for (const content of ["first", "second"]) {
      writeAtomically(link, content);
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
      expect([text(link), text(target)]).toEqual([content, content]);
    }
    expect(readdirSync(inside)).toEqual(["target"]);
  });

  test("a file that is replaced keeps its permissions; a new one gets those asked for", () => {
    const path = join(folder("modes"), "a");
    writeAtomically(path, "1", { mode: 0o600 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    chmodSync(path, 0o640);
    writeAtomically(path, "2");
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  test.if(existsSync("/dev/full"))("a device is written into, and its error is told", () => {
    expect(() => writeAtomically("/dev/full", "x")).toThrow(/\/dev\/full: .*the disk is full/);
    expect(statSync("/dev/full").isCharacterDevice()).toBe(true);
  });

  test("/dev/stdout into a file: what the program has printed before stays", () => {
    const out = join(folder("stdout"), "out");
    const module = JSON.stringify(join(root, "src/platform/atomic_file.ts"));
    const code = `import { writeAtomically as w } from ${module}; console.log("x"); w("/dev/stdout", "y\\n")`;
    Bun.spawnSync(["sh", "-c", `"${process.execPath}" -e '${code}' > "${out}"`]);
    expect(text(out)).toBe("x\ny\n");
  });

  test("where one of several cannot be written, none is replaced and nothing is left", () => {
    const inside = folder("set");
    const old = join(inside, "old");
    writeFileSync(old, "old");
    const files = [old, join(inside, "absent", "b")].map((path) => ({ path, data: "new" }));
    const write = () => writeAllAtomically(files);
    expect(write).toThrow(UserError);
    expect(write).toThrow(/absent\/b: cannot be written: its folder does not exist/);
    expect(text(old)).toBe("old");
    expect(readdirSync(inside)).toEqual(["old"]);
  });

  test("a folder that is a file, a file that is a folder: one line with the remedy", () => {
    const inside = folder("wrong");
    const file = join(inside, "file");
    writeFileSync(file, "");
    expect(() => writeAtomically(join(file, "x"), "")).toThrow(/its folder is a file; choose/);
    expect(() => writeAtomically(inside, "")).toThrow(/wrong: cannot be written: is a folder/);
    expect(() => removeQuietly(join(file, "x"))).not.toThrow();
  });
});

describe("what a crash leaves", () => {
  /** A process that is killed while it has a file open under a temporary name. */
  function killedWriter(inside: string): string {
    const module = JSON.stringify(join(root, "src/platform/leftovers.ts"));
    const code = `import { temporaryPath } from ${module}; import { writeFileSync } from "node:fs";
      const path = temporaryPath(${JSON.stringify(inside)}); writeFileSync(path, "half");
      console.log(path); process.kill(process.pid, "SIGKILL")`;
    const { stdout } = Bun.spawnSync([process.execPath, "-e", code]);
    return stdout.toString().trim();
  }

  test("is swept when the next process writes into the folder", () => {
    const inside = folder("killed");
    const left = killedWriter(inside);
    expect(readdirSync(inside)).toEqual([basename(left)]);
    writeAtomically(join(inside, "a"), "");
    expect(readdirSync(inside)).toEqual(["a"]);
  });

  test("what a process writes now stays, and files that are not ours", () => {
    const inside = folder("living");
    const own = temporaryPath(inside);
    writeFileSync(own, "");
    writeFileSync(join(inside, "notes.tmp"), "");
    sweepLeftovers(inside);
    expect(readdirSync(inside).sort()).toEqual([basename(own), "notes.tmp"].sort());
  });

  test("of another machine or container goes after a day, a folder too", () => {
    const inside = folder("foreign");
    const foreign = join(inside, ".voxgrad-00000000-1-01234567.tmp");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "x"), "");
    sweepLeftovers(inside);
    expect(existsSync(foreign)).toBe(true);
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    utimesSync(foreign, yesterday, yesterday);
    sweepLeftovers(inside);
    expect(existsSync(foreign)).toBe(false);
  });
});
