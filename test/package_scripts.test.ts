/** The commands in their documented form, `bun run …`: what the runner adds to them. */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeMask } from "../src/data/nifti_write";

const ROOT = join(import.meta.dir, "..");
const folder = mkdtempSync(join(tmpdir(), "voxgrad-scripts-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const mask = join(folder, "mask.nii.gz");
await writeMask(mask, {
  size: [4, 3, 2],
  affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
  data: Uint8Array.from({ length: 24 }, (_, i) => +(i < 9)),
});
const pair = ["--reference", mask, "--prediction", mask];

/** @param before a program that runs the command, with its arguments */
function bunRun(args: readonly string[], before: readonly string[] = []) {
  const [program, ...rest] = [...before, process.execPath, "run", ...args];
  const { stdout, stderr, status } = spawnSync(program!, rest, { cwd: ROOT, encoding: "utf8" });
  return { out: stdout, err: stderr, code: status };
}

test("every script is preceded by the check of the packages, and by nothing else", () => {
  const isPre = (name: string) => name.startsWith("pre") && name.slice(3) in scripts;
  const names = Object.keys(scripts).filter((name) => !isPre(name));
  expect(names).toContain("predict");
  for (const name of names) {
    expect(scripts[`pre${name}`], name).toBe("bun src/platform/installed.ts");
  }
});

describe("--json: standard output is JSON", () => {
  const folders = ["--references", folder, "--predictions", folder];
  for (const [name, args] of [
    ["evaluate, a pair", ["evaluate", ...pair, "--json"]],
    ["evaluate, folders", ["evaluate", ...folders, "--json"]],
    ["adapters", ["adapters", "--json"]],
  ] as const) {
    test(name, () => {
      const { out, err, code } = bunRun(args);
      expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
      expect(typeof JSON.parse(out)).toBe("object");
    });
  }
});

test("--json FILE and --report FILE: the file is JSON", () => {
  const file = join(folder, "scores.json");
  const { out, code } = bunRun(["evaluate", ...pair, "--json", file]);
  expect(code).toBe(0);
  expect(out).toStartWith("Jaccard ");
  expect(JSON.parse(readFileSync(file, "utf8")).dice).toBe(1);
});

// Linux gives an unprivileged process a network of its own, without any interface.
const cutOff = ["unshare", "--map-root-user", "--net"];
const canCutOff = spawnSync(cutOff[0]!, [...cutOff.slice(1), "true"]).status === 0;

test.skipIf(!canCutOff)("without a network a command runs as with one", () => {
  const connected = bunRun(["evaluate", ...pair, "--json"]);
  expect(bunRun(["evaluate", ...pair, "--json"], cutOff)).toEqual(connected);
});

describe("src/platform/installed.ts", () => {
  const project = join(folder, "project");
  const check = () => {
    const script = join(project, "src", "platform", "installed.ts");
    const { stdout, stderr, status } = spawnSync(process.execPath, [script], { encoding: "utf8" });
    return { out: stdout, installs: stderr.includes("bun install"), code: status };
  };
  const write = (path: string, value: object) =>
    Bun.write(join(project, path), JSON.stringify(value));

  test("installs what is missing, says so on standard error, and then nothing more", async () => {
    mkdirSync(join(project, "src", "platform"), { recursive: true });
    cpSync(join(ROOT, "src/platform/installed.ts"), join(project, "src/platform/installed.ts"));
    await write("part/package.json", { name: "part", version: "1.0.0" });
    await write("package.json", { name: "whole", dependencies: { part: "file:./part" } });
    spawnSync(process.execPath, ["install"], { cwd: project });
    expect(existsSync(join(project, "bun.lock"))).toBe(true);
    expect(check()).toEqual({ out: "", installs: false, code: 0 });
    rmSync(join(project, "node_modules"), { recursive: true });
    expect(check()).toEqual({ out: "", installs: true, code: 0 });
    expect(existsSync(join(project, "node_modules", "part", "package.json"))).toBe(true);
    expect(check()).toEqual({ out: "", installs: false, code: 0 });
  });

  test("an optional package may be missing", async () => {
    const optionalDependencies = { part: "file:./part" };
    await write("package.json", { name: "whole", optionalDependencies });
    spawnSync(process.execPath, ["install"], { cwd: project });
    rmSync(join(project, "node_modules"), { recursive: true });
    expect(check()).toEqual({ out: "", installs: false, code: 0 });
  });

  test("notices a package.json that the lockfile does not know, as the installer does", async () => {
    const dependencies = { part: "file:./part", other: "file:./other" };
    await write("other/package.json", { name: "other", version: "1.0.0" });
    await write("package.json", { name: "whole", dependencies });
    const { out, installs, code } = check();
    expect({ out, installs }).toEqual({ out: "", installs: true });
    expect(code).not.toBe(0);
  });
});
