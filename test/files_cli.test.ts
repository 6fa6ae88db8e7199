/** Outputs where they cannot be written, and what an earlier crash left beside them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMask } from "../src/data/nifti_read";
import { writeSafetensors } from "../src/data/safetensors_file";
import { createRunFolder } from "../src/run/run_folder";
import { makeTrainConfig } from "../src/settings/presets";
import { expectRefusalOf, runDocumented } from "./cli_rig";
import { weightsContents, writeVisits } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-files-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const root = join(import.meta.dir, "..");
const weights = join(folder, "weights.safetensors");
const mask = join(folder, "mask.nii.gz");
let visits: string[];

beforeAll(async () => {
  visits = await writeVisits(folder);
  writeSafetensors({ path: weights, ...weightsContents() });
  const { err, code } = await runDocumented("predict", ...predict(mask));
  expect(code, err).toBe(0);
});
const predict = (out: string) => [...visits, "-w", weights, "-o", out, "--tune", "off"];
const evaluate = (csv: string) => ["--reference", mask, "--prediction", mask, "--csv", csv];

test("predict: a link stays a link, and leftovers of a killed process go", async () => {
  const inside = join(folder, "out");
  mkdirSync(inside);
  const link = join(folder, "link.nii.gz");
  symlinkSync(join(inside, "target.nii.gz"), link);
  const module = JSON.stringify(join(root, "src/platform/leftovers.ts"));
  const code = `import { temporaryPath } from ${module}; import { writeFileSync } from "node:fs";
    writeFileSync(temporaryPath(${JSON.stringify(inside)}), "half"); process.kill(process.pid, 9)`;
  Bun.spawnSync([process.execPath, "-e", code]);
  expect(readdirSync(inside).length).toBe(1);
  const { err, code: exit } = await runDocumented("predict", ...predict(link));
  expect(exit, err).toBe(0);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readdirSync(inside)).toEqual(["target.nii.gz"]);
  expect((await readMask(link)).size).toEqual([12, 12, 12]);
});

test("a file where a folder should be, and a full device: one line, exit code 2", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  await expectRefusalOf(
    /file\/m\.nii\.gz: cannot be written/,
    "predict",
    ...predict(join(file, "m.nii.gz")),
  );
  await expectRefusalOf(
    /file\/x\.csv: cannot be written/,
    "evaluate",
    ...evaluate(join(file, "x.csv")),
  );
  if (!existsSync("/dev/full")) return;
  await expectRefusalOf(
    /\/dev\/full: cannot be written: the disk is full/,
    "evaluate",
    ...evaluate("/dev/full"),
  );
});

/** Runs a command where a file system is mounted on `place`. */
function mounted(options: string, place: string, command: readonly string[], env = {}) {
  const script = `mount -t tmpfs -o ${options} tmpfs "$0" && (head -c 99999 /dev/zero > "$0/fill") 2>/dev/null; exec "$@"`;
  const bun = [process.execPath, "run", ...command];
  const { stderr, exitCode } = Bun.spawnSync(["unshare", "-m", "sh", "-c", script, place, ...bun], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  return { err: stderr.toString(), code: exitCode };
}
const mayMount =
  Bun.which("unshare") !== null &&
  Bun.spawnSync(["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).exitCode === 0;

describe.if(mayMount)("a file system that is read-only, or full", () => {
  const place = join(folder, "mount");
  mkdirSync(place);
  const refused = ({ err, code }: ReturnType<typeof mounted>, what: RegExp) => {
    expect(err).toMatch(what);
    expect(err).not.toMatch(/^\s+at /m);
    expect(code).toBe(2);
  };

  test.each([
    ["ro", /cannot be written: the file system is read-only/],
    ["size=4k", /cannot be written: the disk is full/],
  ])("%s: predict -o, evaluate --csv", (options, message) => {
    refused(mounted(options, place, ["predict", ...predict(join(place, "m.nii.gz"))]), message);
    refused(mounted(options, place, ["evaluate", ...evaluate(join(place, "x.csv"))]), message);
  });

  test("ro: the cache, and the folder of a run that is resumed", () => {
    const config = makeTrainConfig("small", { iterations: 1 });
    const run = createRunFolder(join(folder, "run"), config, { data: null, train: ["a"], val: [] });
    const bind = `mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"; exec "$@"`;
    const resume = [process.execPath, "run", "train", "--resume", run.path];
    const { stderr, exitCode } = Bun.spawnSync(
      ["unshare", "-m", "sh", "-c", bind, run.path, ...resume],
      { cwd: root },
    );
    refused({ err: stderr.toString(), code: exitCode }, /run\/train\.lock: cannot be written/);
    const env = { VOXGRAD_CACHE: join(place, "cache"), VOXGRAD_NO_DOWNLOAD: "1" };
    for (const options of ["ro", "size=4k"]) {
      refused(mounted(options, place, ["adapters"], env), /cannot write the cache.*VOXGRAD_CACHE/);
    }
  });
});
