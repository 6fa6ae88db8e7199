/** Paths of the commands: what is read is not written over, and what cannot be written is told before the work. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeMask } from "../src/data/nifti_write";
import { writeSafetensors } from "../src/data/safetensors_file";
import { unetParameters } from "../src/nn/parameters";
import { freeBytes } from "../src/platform/disk_room";
import { isSamePlace, realPathOf } from "../src/platform/real_path";
import { checkRoom } from "../src/run/checkpoint_room";
import type { RunFolder } from "../src/run/run_folder";
import { checkPaths, given, givenScan } from "../src/terminal/command_paths";
import { expectRefusalOf } from "./cli_rig";
import { MODEL, weightsContents, writeVisits } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-paths-"));
const linked = mkdtempSync(join(tmpdir(), "voxgrad-links-"));
afterAll(() => {
  for (const path of [folder, linked]) rmSync(path, { recursive: true });
});
const at = (...names: string[]) => join(folder, ...names);
const inLinked = (...names: string[]) => join(linked, ...names);

describe("one place by several names", () => {
  mkdirSync(inLinked("real"));
  writeFileSync(inLinked("real", "file"), "");
  symlinkSync(inLinked("real"), inLinked("link"));
  symlinkSync(inLinked("real", "file"), inLinked("file link"));
  symlinkSync("nowhere", inLinked("dangling"));
  linkSync(inLinked("real", "file"), inLinked("hard"));

  test("symbolic and hard links, dots, and files that are not there yet", () => {
    const file = inLinked("real", "file");
    const same = [
      inLinked("link", "file"),
      inLinked("file link"),
      inLinked("hard"),
      `${inLinked("real")}/../real/file`,
    ];
    for (const path of same) expect(isSamePlace(path, file), path).toBe(true);
    expect(isSamePlace(inLinked("link", "new"), inLinked("real", "new"))).toBe(true);
    expect(isSamePlace(inLinked("dangling"), inLinked("nowhere"))).toBe(true);
    expect(isSamePlace(inLinked("link", "a", "b"), inLinked("real", "a", "b"))).toBe(true);
    expect(realPathOf(inLinked("dangling"))).toBe(join(realPathOf(linked), "nowhere"));
    for (const path of [inLinked("real"), inLinked("real", "other")]) {
      expect(isSamePlace(path, file), path).toBe(false);
    }
  });

  test("links that go in a circle end", () => {
    symlinkSync(inLinked("circle 2"), inLinked("circle 1"));
    symlinkSync(inLinked("circle 1"), inLinked("circle 2"));
    expect(isSamePlace(inLinked("circle 1"), inLinked("real"))).toBe(false);
  });

  test("names that differ in case or composition are one where the file system ignores that", () => {
    const [one, other] = [inLinked("René.nii"), inLinked("RENE\u0301.nii")];
    expect(isSamePlace(one, other, () => true)).toBe(true);
    expect(isSamePlace(one, other, () => false)).toBe(false);
    const ignores = statSync(inLinked("REAL"), { throwIfNoEntry: false }) !== undefined;
    expect(isSamePlace(one, other)).toBe(ignores);
  });
});

describe("checkPaths", () => {
  const [out, other] = [inLinked("out.csv"), inLinked("other.csv")];
  const csv = (path: string) => ({ writes: [given("--csv", path)] });

  test("takes what fits: devices twice, a missing folder to make, equal inputs", () => {
    checkPaths({ writes: [given("--csv", "/dev/null"), given("--json", "/dev/null")] });
    checkPaths({ fills: [given("--out", inLinked("new", "er"))], writes: [given("--csv", out)] });
    checkPaths({ reads: [given("-t1", out), given("-t2", out)], writes: [given("-o", other)] });
    checkPaths({ reads: [given("--brain", undefined)] });
  });

  test("refuses in a line that names the options", () => {
    const twice = { writes: [given("--csv", out), given("--json", out)] };
    expect(() => checkPaths(twice)).toThrow(
      `--json ${out}: is the path of --csv too; name another`,
    );
    const hard = { reads: [given("-t1", inLinked("real", "file"))], ...csv(inLinked("hard")) };
    expect(() => checkPaths(hard)).toThrow(
      `--csv ${inLinked("hard")}: is the path of -t1 too, ${inLinked("real", "file")} by another name`,
    );
    expect(() => checkPaths(csv(""))).toThrow("--csv: an empty path; name one, or leave it out");
    expect(() => checkPaths({ reads: [given("--brain", "")] })).toThrow("--brain: an empty path");
    expect(() => checkPaths(csv(inLinked("real")))).toThrow(/--csv .*real: .*is a folder/);
    expect(() => checkPaths(csv(inLinked("hard", "x.csv")))).toThrow(/its folder is a file/);
    expect(() => checkPaths(csv(inLinked("hard", "a", "x.csv")))).toThrow(/its folder is a file/);
    expect(() => checkPaths(csv(inLinked("no", "x.csv")))).toThrow(/its folder does not exist/);
    if (existsSync("/proc/self")) {
      const proc = { writes: [given("-o", "/proc/x")], fills: [given("--out-dir", "/proc/y")] };
      for (const [kind, paths] of Object.entries(proc)) {
        expect(() => checkPaths({ [kind]: paths })).toThrow(
          /^--?o.* \/proc\/[xy]: cannot be written: no permission to write there/,
        );
      }
    }
    const inFile = { fills: [given("--out", inLinked("hard"))] };
    expect(() => checkPaths(inFile)).toThrow(/--out .*hard: is a file; name a folder/);
    const belowFile = { fills: [given("--out", inLinked("hard", "run"))] };
    expect(() => checkPaths(belowFile)).toThrow(/--out .*: its folder is a file/);
  });

  test("nothing is written into a folder of DICOM, by another name neither", () => {
    const dicom = givenScan("-t1", inLinked("link"));
    for (const path of [inLinked("real", "m.nii"), inLinked("link", "..x.nii")]) {
      expect(() => checkPaths({ reads: [dicom], writes: [given("-o", path)] })).toThrow(
        `-o ${path}: lies in the folder that -t1 reads (${inLinked("link")}); name a place outside it`,
      );
    }
    const beside = [inLinked("m.nii"), inLinked("real beside")];
    checkPaths({
      reads: [dicom],
      writes: [given("-o", beside[0])],
      fills: [given("--out-dir", beside[1])],
    });
  });
});

test("a training asks for the room of its checkpoints before it begins", () => {
  const specs = unetParameters(MODEL.unet);
  const run = { path: linked } as RunFolder;
  const parameters = specs.reduce((sum, { shape }) => sum + shape.reduce((n, m) => n * m, 1), 0);
  for (const free of [undefined, 48 * parameters]) checkRoom(run, specs, 2, free);
  expect(() => checkRoom(run, specs, 2, 48 * parameters - 1)).toThrow(
    /links.*: checkpoints cannot be written: the disk is full but for \d+ KiB, they take \d+ KiB; free/,
  );
  expect(freeBytes(linked)).toBeGreaterThan(0);
  expect(freeBytes(inLinked("nothing"))).toBeUndefined();
});

describe("the commands refuse it before the work", () => {
  const [t1, t2] = [at("t1.nii.gz"), at("t2.nii.gz")];
  const weights = at("weights.safetensors");
  const data = at("data");
  const flair = (id: string, visit: number) =>
    join(data, id, `flair_time0${visit}_on_middle_space.nii.gz`);
  const truth = (id: string) => join(data, id, "ground_truth.nii.gz");
  const link = at("link to t1.nii.gz");
  const predict = ["predict", "-t1", t1, "-t2", t2, "-w", weights];
  const masks = ["--reference", truth("p1"), "--prediction", truth("p2")];
  const folders = ["--references", data, "--predictions", data];
  const named = ["--reference-name", "ground_truth", "--prediction-name", "ground_truth"];
  const report = at("report.json");

  beforeAll(async () => {
    await writeVisits(folder);
    writeSafetensors({ path: weights, ...weightsContents() });
    symlinkSync(t1, link);
    writeFileSync(report, "{}");
    for (const id of ["p1", "p2"]) {
      mkdirSync(join(data, id), { recursive: true });
      for (const visit of [1, 2]) writeFileSync(flair(id, visit), readFileSync(t1));
      await writeMask(truth(id), {
        size: [12, 12, 12],
        affine: [2, 0, 0, -12, 0, 2, 0, -12, 0, 0, 2, -12, 0, 0, 0, 1],
        data: new Uint8Array(12 ** 3).fill(1, 700, 720),
      });
    }
  });

  const out = at("mask.nii.gz");
  const inOut = join(data, "visit1.nii.gz");
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[...predict, "-o", t1], /^voxgrad: -o .*t1\.nii\.gz: is the path of -t1 too; name another$/m],
    [[...predict, "-o", link], /-o .*: is the path of -t1 too, .*t1\.nii\.gz by another name/],
    [[...predict, "-o", out, "--probability", out], /--probability .*: is the path of -o too/],
    [[...predict, "-o", out, "--report", weights], /--report .*: is the path of -w too/],
    [[...predict, "-o", out, "--brain", out], /-o .*: is the path of --brain too/],
    [[...predict, "-o", out, "--report", ""], /--report.*expected one or more/],
    [[...predict, "-o", out, "--probability", ""], /--probability: an empty path/],
    [[...predict, "-o", join(t1, "x.nii")], /-o .*: its folder is a file/],
    [[...predict, "-o", out, "--report", data], /--report .*data: .*is a folder/],
    [["predict", "-t1", t1, "-t2", t2, "-o", out, "-w", ""], /-w.*expected one or more/],
    [["evaluate", ...masks, "--csv", truth("p1")], /--csv .*: is the path of --reference too/],
    [["evaluate", ...masks, "--csv", report, "--json", report], /--json .*: .* of --csv too/],
    [["evaluate", ...folders, ...named, "--json", truth("p2")], /of --references too/],
    [["train", "--data", data, "--out", data], /--out .*data: is the path of --data too/],
    [["train", "--data", data, "--train-data", at("x"), "--out", at("x")], /of --train-data too/],
    [["train", "--data", data, "--folds", "2", "--out", `${data}/.`], /is the path of --data too/],
    [["train", "--data", data, "--out", t1], /--out .*t1\.nii\.gz: is a file; name a folder/],
    [["train", "--data", ""], /--data: an empty path/],
    [["synthesise", data, at("s"), "--picture", flair("p1", 2)], /--picture .*: .* of <data> too/],
    [["synthesise", data, data], /<out> .*data: is the path of <data> too/],
    [["experiment", "fig2", "--data", data, "--out", data], /--out .*: is the path of --data too/],
    [["phantom", join(t1, "x")], /<out> .*: its folder is a file/],
    [["import", "ljubljana", data, data], /<out> .*: is the path of <dir> too/],
    [
      ["predict", "-t1", data, "-t2", t2, "-w", weights, "-o", join(data, "m.nii")],
      /-o .*: lies in/,
    ],
    [
      ["register", t1, data, "--out", join(data, "r")],
      /--out .*: lies in the folder that <visit2>/,
    ],
    [["register", t1, t2, "--out", t1], /--out .*: is the path of <visit1> too/],
    [["register", inOut, t2, "--out", data], /--out .*visit1\.nii\.gz: .* of <visit1> too/],
    [["bench", "--compare", report, "--json", report], /--json .*: is the path of --compare too/],
    [["portability", "--resume", report, "--html", report], /--html .*: .* of --resume too/],
    [["portability", "report", report, "--html", report], /--html .*: is the path of <file> too/],
    [["portability", "reproduce", "add/odd", "--out", t1], /--out .*: is a file; name a folder/],
  ];
  for (const [args, what] of cases) {
    const shown = args.map((arg) => arg.replace(folder, "…")).filter((arg) => arg !== "");
    test(`${shown[0]} … ${shown.slice(-2).join(" ")}: ${what.source}`, async () => {
      const before = contents();
      const [command, ...rest] = args;
      await expectRefusalOf(what, command!, ...rest);
      expect(contents()).toEqual(before);
    });
  }

  /** Of all files below the folder. */
  function contents(): Record<string, string> {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
      statSync(at(name)).isFile(),
    );
    return Object.fromEntries(
      files.map((name) => [name, `${Bun.hash(readFileSync(at(name)))}`] as const),
    );
  }

  // Linux lets an unprivileged process mount in a space of its own.
  const mounting = ["unshare", "--map-root-user", "--mount", "sh", "-c"];
  const canMount = spawnSync(mounting[0]!, [...mounting.slice(1), "true"]).status === 0;
  const place = at("mounted");

  /** What predict says where its mask is to lie in a small file system, after `change` to that. */
  function predictInto(change: string) {
    mkdirSync(place, { recursive: true });
    const script = `mount -t tmpfs -o size=16k tmpfs "$0"; ${change}; exec "$@"`;
    const command = [process.execPath, join(import.meta.dir, "../src/cli/predict.ts")];
    const words = [place, ...command, ...predict.slice(1), "-o", join(place, "mask.nii")];
    const [program, ...rest] = [...mounting, script, ...words];
    const { stderr, status } = spawnSync(program!, rest, { encoding: "utf8" });
    return { err: stderr, code: status };
  }

  test.skipIf(!canMount)("predict into a full file system, and into one that is read-only", () => {
    const full = predictInto('head -c 100000 /dev/zero > "$0/filler" 2> /dev/null');
    expect(full.err).toMatch(/^voxgrad: -o .*mask\.nii: cannot be written: the disk is full/m);
    expect(full.code).toBe(2);
    const readOnly = predictInto('mount -o remount,ro "$0"');
    expect(readOnly.err).toMatch(/^voxgrad: -o .*: the file system is read-only/m);
    expect(readOnly.code).toBe(2);
  });
});
