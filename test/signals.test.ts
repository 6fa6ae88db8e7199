/** Ctrl-C, SIGTERM and a terminal that closes, to the commands as a user runs them: `bun run …`. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writePhantom } from "../src/data/phantom/cohort";
import { cacheDir } from "../src/platform/cache";
import { removeQuietly } from "../src/platform/leftovers";
import { readMetrics } from "../src/run/run_folder";
import { isLocked } from "../src/run/run_lock";

const ROOT = join(import.meta.dir, "..");
const folder = mkdtempSync(join(tmpdir(), "voxgrad-signals-"));
const data = join(folder, "data");
const patient = join(data, "patient001");
const sizes = {
  ...{ preset: "small", filters: "4,8,8", groups: "4", patch: "16", stride: "12" },
  ...{ spacing: "2", pool: "4", batch: "2" },
};
const options = (named: Readonly<Record<string, string>>) =>
  Object.entries(named).flatMap(([name, value]) => [`--${name}`, value]);
/** Without an end. */
const training = [
  ...["train", "--data", data, "--tune", "off", ...options(sizes)],
  ...["--report-every", "5", "--validate-every", "1", "--iterations", "1000000"],
];

beforeAll(async () => {
  mkdirSync(data);
  await writePhantom(data, { patients: 3, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
});
afterAll(() => removeQuietly(folder));

const bunRun = [process.execPath, "run"];

async function until(what: string, holds: () => boolean, child?: { exitCode: number | null }) {
  for (let waited = 0; !holds(); waited += 0.1) {
    if (waited > 300 || typeof child?.exitCode === "number") throw new Error(`never: ${what}`);
    await Bun.sleep(100);
  }
}

/** Starts a command without a terminal, and gathers what it says. */
function start(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn([...bunRun, ...words], {
    ...{ cwd: ROOT, env: { ...process.env, ...env }, stdout: "ignore", stderr: "pipe" },
  });
  const said = { text: "" };
  const reader = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) said.text += decoder.decode(chunk, { stream: true });
  })();
  return { child, said, ended: () => reader.then(() => child.exited) };
}

const saved = (run: string) => existsSync(join(run, "last.state.safetensors"));
const begun = (run: string) => readMetrics({ path: run }).length > 0;

const python = spawnSync("python3", ["-c", "import pty"]).status === 0;

/** A training in a terminal of its own; when it has begun, `act` types into it or closes it. */
async function trainInTerminal(
  form: readonly string[],
  out: string,
  act: (terminal: Bun.FileSink) => unknown,
) {
  const words = [...form, ...training, "--val", "patient001", "--out", out];
  const child = Bun.spawn(["python3", join(import.meta.dir, "in_terminal.py"), ...words], {
    ...{ cwd: ROOT, stdin: "pipe", stdout: "pipe" },
  });
  const shown = new Response(child.stdout).text();
  await until("a report", () => begun(out), child);
  await act(child.stdin);
  return { code: await child.exited, shown: await shown };
}

describe.skipIf(!python)("in a terminal (python3's pty)", () => {
  const ctrlC = (terminal: Bun.FileSink) => {
    terminal.write("\x03");
    return terminal.flush();
  };
  const npx = ["npx", "--offline", "--yes", `bun@${Bun.version}`, "run"];
  const hasNpx = spawnSync(npx[0]!, [...npx.slice(1, 4), "--version"]).status === 0;

  for (const [name, form, isThere] of [
    ["bun run train", bunRun, true],
    ["npx … run train", npx, hasNpx],
  ] as const) {
    test.skipIf(!isThere)(`one Ctrl-C saves: ${name}`, async () => {
      const out = join(folder, `ctrl-c-${form.length}`);
      const { code, shown } = await trainInTerminal(form, out, ctrlC);
      expect({ code, saved: saved(out) }).toEqual({ code: 130, saved: true });
      expect(shown).toContain(`interrupted; go on with: bun run train --resume ${out}`);
    });
  }

  test("a terminal that closes saves too", async () => {
    const out = join(folder, "closed");
    await trainInTerminal(bunRun, out, (terminal) => terminal.end());
    // The runner may end before the training does.
    await until("the end of the training", () => saved(out) && !isLocked(out));
    expect(existsSync(join(out, "train.lock"))).toBe(false);
  });
});

test("SIGTERM to bun run train saves and ends with 143, also where the training gets it twice", async () => {
  const out = join(folder, "terminated");
  const { child, said, ended } = start([...training, "--val", "patient001", "--out", out]);
  await until("a report", () => begun(out), child);
  const { pid } = JSON.parse(readFileSync(join(out, "train.lock"), "utf8"));
  // As a supervisor does that ends all processes: the runner passes its own on.
  process.kill(pid, "SIGTERM");
  await Bun.sleep(20);
  child.kill("SIGTERM");
  expect(await ended()).toBe(143);
  expect(saved(out)).toBe(true);
  expect(said.text).toContain(`--resume ${out}`);
});

test("a reader that is gone is no failure: train 2>&1 | head", async () => {
  const out = join(folder, "unread");
  const words = [...training, "--iterations", "10", "--val", "patient001", "--out", out];
  const command = `"$@" 2>&1 | head -n 3; exit \${PIPESTATUS[0]}`;
  const child = Bun.spawn(["bash", "-c", command, "-", ...bunRun, ...words], {
    ...{ cwd: ROOT, stdout: "pipe" },
  });
  const text = await new Response(child.stdout).text();
  expect({ code: await child.exited, lines: text.split("\n").length }).toEqual({
    code: 0,
    lines: 4,
  });
  expect(existsSync(join(out, "validation.json"))).toBe(true);
});

/** A cache with the real one's drivers, in which nothing is tuned. */
function untunedCache(): string {
  const cache = join(folder, "cache");
  mkdirSync(cache);
  for (const name of existsSync(cacheDir()) ? readdirSync(cacheDir()) : []) {
    if (name !== "tune") symlinkSync(cacheDir(name), join(cache, name));
  }
  return cache;
}

describe("SIGTERM ends with 143, and what was made is kept", () => {
  test("train --folds", async () => {
    const out = join(folder, "cv");
    const { child, said, ended } = start([...training, "--folds", "3", "--out", out]);
    await until("a report", () => begun(join(out, "fold0")), child);
    child.kill("SIGTERM");
    expect(await ended()).toBe(143);
    expect(saved(join(out, "fold0"))).toBe(true);
    expect(begun(join(out, "fold1"))).toBe(false);
    expect(said.text).toContain(`all folds: bun run train --resume ${out}`);
  });

  test("experiment", async () => {
    const [grid, out] = [join(folder, "grid.yaml"), join(folder, "experiment")];
    const { preset, ...settings } = sizes;
    writeFileSync(
      grid,
      [
        ...["title: Tiny", "question: Does it end?", "seeds: [0]"],
        `settings: { report-every: 5, ${Object.entries(settings)
          .map(([name, value]) => `${name}: '${value}'`)
          .join(", ")} }`,
        "figures: [{ name: tiny, title: One arm, arms: { only: { sampler: uniform } } }]",
      ].join("\n"),
    );
    const { child, said, ended } = start([
      ...["experiment", grid, "--preset", preset, "--data", data, "--val", "patient001"],
      ...["--iterations-each", "1000000", "--out", out],
    ]);
    const run = join(out, "runs", "only-seed0");
    await until("a report", () => begun(run), child);
    child.kill("SIGTERM");
    expect(await ended()).toBe(143);
    expect(saved(run)).toBe(true);
    expect(said.text).toContain("1 of 1 runs are not done (interrupted)");
  });

  test("predict writes nothing", async () => {
    const out = join(folder, "predicted.nii.gz");
    const run = join(folder, "network");
    const made = start([...training, "--iterations", "2", "--val", "patient001", "--out", run]);
    expect(await made.ended()).toBe(0);
    const { child, said, ended } = start([
      ...["predict", "-w", run, "-o", out, "--stride", "1", "--batch", "1", "--tune", "off"],
      ...[1, 2].flatMap((n) => [`-t${n}`, join(patient, `flair_time0${n}_on_middle_space.nii.gz`)]),
    ]);
    await until("a window", () => said.text.includes("window "), child);
    child.kill("SIGTERM");
    expect(await ended()).toBe(143);
    expect(said.text).toContain("interrupted: nothing is written");
    expect(existsSync(out)).toBe(false);
  });

  test("synthesise", async () => {
    const out = join(folder, "synthetic");
    const { child, said, ended } = start(["synthesise", data, out, "--pairs", "10000"]);
    const first = join(out, "synthetic001", "synthetic.json");
    await until("a pair", () => existsSync(first), child);
    child.kill("SIGTERM");
    expect(await ended()).toBe(143);
    expect(said.text).toContain("repeat the command to go on from here");
  });

  test("tune", async () => {
    const env = { VOXGRAD_CACHE: untunedCache() };
    const { child, said, ended } = start(
      ["tune", "--preset", "small", "--tune-seconds", "100000"],
      env,
    );
    await until("a candidate", () => said.text.includes("tuning "), child);
    child.kill("SIGTERM");
    expect(await ended()).toBe(143);
    expect(said.text).toContain("interrupted: what was tuned is kept");
  });
});
