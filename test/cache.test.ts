/** The cache: listed, cleared, and no place where scans of patients stay for ever. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { privateCacheDir } from "../src/platform/cache";
import { expectRefusalOf, runDocumented } from "./cli_rig";

const scratch = mkdtempSync(join(tmpdir(), "voxgrad-cache-"));
const before = { ...process.env };
let cache = "";
let made = 0;

beforeEach(() => {
  cache = join(scratch, `${made++}`);
  process.env.VOXGRAD_CACHE = cache;
  delete process.env.VOXGRAD_CACHE_DAYS;
});
afterAll(() => {
  for (const name of ["VOXGRAD_CACHE", "VOXGRAD_CACHE_DAYS", "XDG_CACHE_HOME"]) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  rmSync(scratch, { recursive: true, force: true });
});

/** A file of the cache that was last used so many days ago. */
function put(path: string, bytes: number, days = 0): void {
  const full = join(cache, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, new Uint8Array(bytes));
  const used = new Date(Date.now() - days * 86_400_000);
  utimesSync(full, used, used);
  if (path.split("/").length === 3) utimesSync(dirname(full), used, used);
}

const key = (digit: number, length = 32) => `${digit}`.repeat(length);
/** An entry of prepared scans: 1000 bytes and a header of 24. */
function putPrepared(digit: number, days: number): void {
  put(`prepared/${key(digit)}.bin`, 1000, days);
  put(`prepared/${key(digit)}.bin.json`, 24, days);
}
function putAll(): void {
  putPrepared(1, 1);
  putPrepared(2, 10);
  putPrepared(3, 20);
  put(`synthetic/${key(4)}/synthesis.json`, 500, 15);
  put(`phantom/${key(5, 16)}/phantom.json`, 70, 100);
  put(`tune/${key(6)}.json`, 30, 100);
  put("prepared/notes of mine.txt", 5, 400);
  put("mine/scan.nii.gz", 5, 400);
}
const left = (kind: string) =>
  existsSync(join(cache, kind)) ? readdirSync(join(cache, kind)).sort() : [];
const prepared = () => left("prepared").filter((name) => name.endsWith(".bin"));
const clear = async (...args: string[]) => {
  const { out, err, code } = await runDocumented("cache", ...args);
  expect(code, err).toBe(0);
  return { out, err };
};

describe("bun run cache", () => {
  test("lists what there is, with size, age and what it holds", async () => {
    putAll();
    const { out } = await clear();
    expect(out).toContain(`${cache}: 3.6 KiB`);
    expect(out).toMatch(
      /prepared +3 +3 KiB +24 h 00 min ago +20 days ago +patients' scans, prepared/,
    );
    expect(out).toMatch(/synthetic +1 +500 bytes +15 days ago/);
    expect(out).toMatch(/phantom +1 +70 bytes/);
    expect(out).toMatch(/not used for 30 days are removed \(VOXGRAD_CACHE_DAYS\)/);
    const { kinds, ...about } = JSON.parse((await clear("--json")).out);
    expect(about).toEqual({ folder: cache, scansGoAfterDays: 30 });
    expect(
      kinds.map(({ kind, entries }: { kind: string; entries: number }) => [kind, entries]),
    ).toEqual([
      ["prepared", 3],
      ["synthetic", 1],
      ["phantom", 1],
      ["tune", 1],
    ]);
  });

  test("an empty cache, and one that is not there", async () => {
    expect((await clear()).out).toContain(`${cache}: 0 bytes\n`);
    expect((await clear("--clear")).err).toContain("removed 0 entries (0 bytes)");
  });

  test("--clear: the scans; nothing else, and nothing that is not ours", async () => {
    putAll();
    const { err } = await clear("--clear");
    expect(err).toContain("removed 4 entries (3.5 KiB)");
    expect(left("prepared")).toEqual(["notes of mine.txt"]);
    expect(left("synthetic")).toEqual([]);
    expect([left("phantom").length, left("tune").length, left("mine").length]).toEqual([1, 1, 1]);
  });

  test("--clear all, and --clear some", async () => {
    putAll();
    await clear("--clear", "tune, phantom");
    expect([left("phantom"), left("tune")]).toEqual([[], []]);
    expect(prepared().length).toBe(3);
    putAll();
    await clear("--clear", "all");
    expect([left("phantom"), left("tune"), prepared()]).toEqual([[], [], []]);
    expect(left("mine").length).toBe(1);
  });

  test("--older-than: by the last use", async () => {
    putAll();
    await clear("--older-than", "12d");
    expect(prepared()).toEqual([key(1), key(2)].map((name) => `${name}.bin`));
    expect(left("synthetic")).toEqual([]);
    expect(left("phantom").length).toBe(1);
    await clear("--clear", "all", "--older-than", "30d");
    expect([prepared().length, left("phantom").length, left("tune").length]).toEqual([2, 0, 0]);
  });

  test("--max-size: the longest unused go first", async () => {
    putAll();
    put(`prepared/${key(7)}.bin`, 3 * 2 ** 20, 2);
    await clear("--max-size", "3.0015M");
    expect(prepared()).toEqual([key(1), key(7)].map((name) => `${name}.bin`));
    await clear("--max-size", "1M");
    expect(prepared()).toEqual([`${key(1)}.bin`]);
  });

  test("bad values are refused in one line", async () => {
    await expectRefusalOf(
      /--clear scans: expected all, or some of prepared,/,
      "cache",
      "--clear",
      "scans",
    );
    await expectRefusalOf(/--older-than.*such as 90s.*30d/, "cache", "--older-than", "30");
    await expectRefusalOf(/--max-size.*500M or 8G/, "cache", "--max-size", "lots");
    process.env.VOXGRAD_CACHE_DAYS = "soon";
    await expectRefusalOf(/VOXGRAD_CACHE_DAYS is soon: expected a number of days/, "cache");
  });
});

describe("at the start of any command", () => {
  test("scans that were not used for 30 days go, with a line, and leftovers of crashes", async () => {
    putAll();
    putPrepared(8, 31);
    put(`synthetic/${key(9)}/synthesis.json`, 5, 31);
    put("prepared/.voxgrad-00000000-1-01234567.tmp", 5, 2);
    const { err } = await runDocumented("evaluate");
    expect(err).toContain(
      "cache: removed 2 prepared scans and synthetic cohorts (1 KiB) that were not used for 30 days",
    );
    expect(prepared()).toEqual([1, 2, 3].map((digit) => `${key(digit)}.bin`));
    expect(left("synthetic")).toEqual([key(4)]);
    expect(left("prepared").filter((name) => name.startsWith("."))).toEqual([]);
    expect((await runDocumented("evaluate")).err).not.toContain("cache:");
  });

  test("VOXGRAD_CACHE_DAYS: other days, or off", async () => {
    putAll();
    process.env.VOXGRAD_CACHE_DAYS = "off";
    putPrepared(8, 4000);
    expect((await clear()).out).toContain("stay until `bun run cache --clear`");
    expect(prepared().length).toBe(4);
    process.env.VOXGRAD_CACHE_DAYS = "0.5";
    await clear();
    expect(prepared()).toEqual([]);
  });
});

const isRoot = process.getuid?.() === 0;

test("the default cache is its owner's alone; a folder that the user names stays as it is", () => {
  const modeOf = (path: string) => statSync(path).mode & 0o777;
  mkdirSync(cache, { mode: 0o755 });
  expect(modeOf(privateCacheDir("synthetic", "a"))).toBe(0o700);
  expect([modeOf(cache), modeOf(join(cache, "synthetic"))]).toEqual([0o755, 0o700]);
  delete process.env.VOXGRAD_CACHE;
  process.env.XDG_CACHE_HOME = cache;
  mkdirSync(join(cache, "voxgrad"), { mode: 0o755 });
  privateCacheDir("prepared");
  delete process.env.XDG_CACHE_HOME;
  expect(["", "voxgrad", "voxgrad/prepared"].map((sub) => modeOf(join(cache, sub)))).toEqual([
    0o755, 0o700, 0o700,
  ]);
});

test("a file where a folder of the cache should be is a refusal", () => {
  put("prepared", 1);
  expect(() => privateCacheDir("prepared")).toThrow(
    /cannot write the cache in .*set VOXGRAD_CACHE/,
  );
});

describe.if(isRoot && Bun.which("setpriv") !== null)("a user with a number alone", () => {
  const bun = join(scratch, "bun"); // The user may not enter the folder of ours.
  const root = join(import.meta.dir, "..");

  beforeAll(() => {
    chmodSync(scratch, 0o755);
    copyFileSync(process.execPath, bun);
    chmodSync(bun, 0o755);
  });

  function run(args: readonly string[], ...env: string[]) {
    const user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"];
    const empty = ["env", "-i", "PATH=/usr/bin:/bin", "VOXGRAD_NO_DOWNLOAD=1", ...env];
    const { stderr, exitCode } = Bun.spawnSync([...user, ...empty, bun, ...args]);
    return { err: stderr.toString(), code: exitCode };
  }

  /** A folder that all may write to, as /tmp. */
  function shared(name: string): string {
    const path = join(scratch, name);
    mkdirSync(path);
    chmodSync(path, 0o1777);
    return path;
  }

  test("no home folder: VOXGRAD_CACHE, or a refusal; evaluate needs no cache", () => {
    const command = (name: string) => [join(root, "src/cli", `${name}.ts`)];
    const without = run(command("cache"));
    expect(without.err).toMatch(/no folder for the cache.*set VOXGRAD_CACHE/);
    expect(without.err).not.toMatch(/^\s+at /m);
    expect(without.code).toBe(2);
    const named = `VOXGRAD_CACHE=${shared("named")}`;
    expect(run(command("cache"), named)).toEqual({ err: "", code: 0 });
    expect(run(command("evaluate")).err).toContain("evaluate needs either");
  });

  test("another user's old folder in the temporary folder does not stop portability", () => {
    const temporary = shared("tmp");
    const old = join(temporary, "voxgrad-portability-old");
    mkdirSync(join(old, "inside"), { recursive: true, mode: 0o700 });
    const lastWeek = new Date(Date.now() - 7 * 86_400_000);
    utimesSync(old, lastWeek, lastWeek);
    const module = JSON.stringify(join(root, "src/portability/hosts/bundle.ts"));
    const code = `import { workerProgram } from ${module};
      await workerProgram({ place: "bun", worker: "/nowhere.ts" });`;
    expect(run(["-e", code], `TMPDIR=${temporary}`)).toEqual({ err: "", code: 0 });
    expect(readdirSync(temporary)).toEqual(["voxgrad-portability-old"]);
  });
});
