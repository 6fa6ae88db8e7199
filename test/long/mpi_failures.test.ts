/** Ranks that die, stop, differ, or have no room to write: the others end, and say why. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json";
import { startOf } from "../../src/platform/process_identity";
import { readMetrics } from "../../src/run/run_folder";
import { writeCohort } from "../faults/cohort";
import { differences } from "../faults/run_files";
import { LAUNCHERS, MPICH, MPICH_OF_TWO, OPEN_MPI, RunningRanks, someLauncher } from "../mpi_rig";
import { rank, SharedTraining } from "../mpi_training";

const ROOT = join(import.meta.dir, "..", "..");
/** Enough of them that a run is met on its way. */
const ITERATIONS = 30;

let training: SharedTraining;
beforeAll(async () => {
  training = await SharedTraining.prepare();
  if (!someLauncher) return;
  const alone = await training.alone(...optionsOf("alone"), "--micro-shards", "4");
  expect(alone.code, alone.err).toBe(0);
});
afterAll(() => training.remove());

const optionsOf = (name: string, ...changes: string[]) =>
  training.options(name, ITERATIONS, ...changes);

async function pidsOf(ranks: RunningRanks, count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, (_, each) => ranks.processOf(each)));
}

/** Of these processes, those that have not ended. */
const left = (pids: readonly number[]) => pids.filter((pid) => startOf(pid) !== undefined);

/** Those that are left when a rank is killed end so many seconds later at most. */
const ENDED = 30;

/** Kills one of these processes, and waits for the end of the others. */
async function kill(pids: readonly number[], rank: number): Promise<void> {
  const others = pids.filter((_, each) => each !== rank);
  process.kill(pids[rank]!, "SIGKILL");
  const killed = performance.now();
  while (left(others).length > 0) await Bun.sleep(20);
  expect((performance.now() - killed) / 1000).toBeLessThan(ENDED);
}

/** The run goes on from its checkpoint, to the files of a run that nothing happened to. */
async function expectToGoOn(name: string): Promise<void> {
  const rest = await training.alone("--resume", training.run(name));
  expect(rest.code, rest.err).toBe(0);
  expect(differences(training.run("alone"), training.run(name))).toEqual([]);
}

describe.each(LAUNCHERS)("$name", (launcher) => {
  test.skipIf(!launcher.isThere)(
    "3 ranks that SIGTERM reaches exit with 143; 2 go on, to the files of a single process",
    async () => {
      const name = `ended under ${launcher.name}`;
      const three = training.start(launcher, 3, ...optionsOf(name));
      const pid = await three.processOf(1);
      await training.reported(name);
      process.kill(pid, "SIGTERM");
      const ended = await three.ended();
      expect(ended.err).toContain("go on with: bun run train --resume");
      expect(ended.code, ended.err).toBe(143);
      expect(existsSync(join(training.run(name), "decision.json"))).toBe(false);
      const two = await training.start(launcher, 2, "--resume", training.run(name)).ended();
      expect(two.code, two.err).toBe(0);
      expect(two.err).toContain("batch 4 in 4 micro-shards of 1, shared by 2 ranks");
      expect(two.err).toMatch(/patches\/s \(2 ranks, [\d.]+ patches\/s each/);
      expect(differences(training.run("alone"), training.run(name))).toEqual([]);
      const reports = readMetrics({ path: training.run(name) });
      expect(reports.findLast(({ ranks }) => ranks !== undefined)!.ranks).toBe(2);
    },
  );

  test.skipIf(!launcher.isThere)("rank 0 is killed: rank 1 says so", async () => {
    const name = `without 0 under ${launcher.name}`;
    const ranks = training.start(launcher, 2, ...optionsOf(name));
    const pids = await pidsOf(ranks, 2);
    await training.saved(name);
    await kill(pids, 0);
    const { err, code } = await ranks.ended();
    expect(code).not.toBe(0);
    // MPICH's launcher kills the other process of this machine, which may come before its word.
    if (launcher === OPEN_MPI) {
      expect(err).toMatch(/voxgrad: rank 0 \(process \d+ on \S+\) has ended unexpectedly/);
    }
    expect(left(pids)).toEqual([]);
    await expectToGoOn(name);
  });
});

test.skipIf(!OPEN_MPI.isThere)(
  "Open MPI: rank 1 of 3 is killed; it is named, the run is saved and goes on",
  async () => {
    const ranks = training.start(OPEN_MPI, 3, ...optionsOf("killed"));
    const pids = await pidsOf(ranks, 3);
    await training.reported("killed");
    await kill(pids, 1);
    const { err, code } = await ranks.ended();
    expect(code).not.toBe(0);
    const name = `rank 1 \\(process ${pids[1]} on \\S+\\) has ended unexpectedly`;
    expect(err).toMatch(new RegExp(`^${name}: saving…$`, "m"));
    expect(err).toMatch(
      new RegExp(`^voxgrad: ${name}; the run is saved up to iteration \\d+`, "m"),
    );
    expect(err).not.toMatch(/^\s+at /m);
    expect(left(pids)).toEqual([]);
    await expectToGoOn("killed");
  },
);

test.skipIf(!MPICH.isThere).each([MPICH, MPICH_OF_TWO])(
  "$name: rank 1 of 3 is killed; all end, and the run goes on from its last validation",
  async (launcher) => {
    const run = `killed under ${launcher.name}`;
    const ranks = training.start(launcher, 3, ...optionsOf(run));
    const pids = await pidsOf(ranks, 3);
    await training.saved(run);
    await kill(pids, 1);
    const { err, code } = await ranks.ended();
    expect(code).not.toBe(0);
    if (launcher === MPICH_OF_TWO) {
      expect(err).toMatch(
        /^voxgrad: rank 1 \(process \d+ on \S+\) has ended unexpectedly; the run/m,
      );
    }
    expect(err).not.toContain("abort()");
    expect(left(pids)).toEqual([]);
    await expectToGoOn(run);
  },
);

test.skipIf(!MPICH.isThere)("mpiexec -pmi-port starts `bun run train`", async () => {
  const words = ["mpiexec.hydra", "-pmi-port", "-n", "2", process.execPath, "run", "train"];
  const { err, code } = await new RunningRanks([...words, ...optionsOf("by port")]).ended();
  expect(code, err).toBe(0);
  expect(err).toContain("2 ranks by MPICH");
  expect(differences(training.run("alone"), training.run("by port"))).toEqual([]);
});

test.skipIf(!someLauncher)("a rank that stops for a while is named, and waited for", async () => {
  const ranks = training.start(someLauncher!, 2, ...optionsOf("slow"));
  const [, pid] = await pidsOf(ranks, 2);
  await training.reported("slow");
  process.kill(pid!, "SIGSTOP");
  await ranks.says(new RegExp(`waiting for rank 1 \\(process ${pid} on \\S+\\) for \\d+ s`));
  process.kill(pid!, "SIGCONT");
  const { err, code } = await ranks.ended();
  expect(code, err).toBe(0);
  expect(differences(training.run("alone"), training.run("slow"))).toEqual([]);
});

async function expectRefusal(ranks: RunningRanks, what: RegExp): Promise<void> {
  const { err, code } = await ranks.ended();
  expect(err).toMatch(what);
  expect(err).not.toMatch(/^\s+at /m);
  expect(code).toBe(2);
}

test.skipIf(!someLauncher)("ranks with other data or settings are refused", async () => {
  const other = join(training.folder, "other");
  await writeCohort(other, 4, [3]);
  const wrong: [string, string, RegExp][] = [
    ["--data", other, /the ranks' data differ: rank 1 .* has \w{12}, rank 0 has \w{12}; give all/],
    ["--seed", "7", /the ranks' settings differ: rank 1 \(process \d+ on \S+\) has \w{12}, rank 0/],
  ];
  for (const [name, value, what] of wrong) {
    const unlike = optionsOf("refused", name, value);
    await expectRefusal(training.startUnlike(someLauncher!, optionsOf("refused"), unlike), what);
  }
});

test.skipIf(!someLauncher)("a rank of another version is refused", async () => {
  const copy = join(training.folder, "version");
  mkdirSync(copy);
  for (const name of ["src", "kernels", "shaders", "tsconfig.json", "bunfig.toml"]) {
    if (existsSync(join(ROOT, name)))
      cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  writeFileSync(join(copy, "package.json"), JSON.stringify({ ...manifest, version: "0.0.1" }));
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const [program, , ...options] = rank(optionsOf("refused"));
  const unlike = [program!, join(copy, "src", "cli", "train.ts"), ...options];
  const words = [...someLauncher!.words(1), ...rank(optionsOf("refused"))];
  const ranks = new RunningRanks([...words, ":", "-n", "1", ...unlike]);
  await expectRefusal(ranks, /the ranks' version differ: rank 1 .* has 0\.0\.1, rank 0 has /);
});

test.skipIf(!someLauncher)("a rank with other weights is refused", async () => {
  const [one, two] = [training.run("resumed"), training.run("resumed elsewhere")];
  for (const folder of [one, two]) cpSync(training.run("alone"), folder, { recursive: true });
  const short = await training.alone(...training.options("short", 4, "--micro-shards", "4"));
  expect(short.code, short.err).toBe(0);
  for (const part of ["state", "student"]) {
    const file = `last.${part}.safetensors`;
    cpSync(join(training.run("short"), file), join(two, file));
  }
  const unlike = [one, two].map((folder) => ["--resume", folder, "--iterations", "40"]);
  const ranks = training.startUnlike(someLauncher!, ...unlike);
  await expectRefusal(ranks, /the ranks' weights differ: rank 1 \(process \d+ on \S+\) has \w{12}/);
});

const hasMounts =
  Bun.which("unshare") !== null &&
  Bun.spawnSync(["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).exitCode === 0;

test.skipIf(!someLauncher || !hasMounts)(
  "a disk that fills up on rank 0 ends all ranks (needs mpirun, and the right to mount)",
  async () => {
    const disk = join(training.folder, "disk");
    mkdirSync(disk);
    const fill =
      'while ! [ -s "$0/run/metrics.jsonl" ]; do sleep 0.1; done; cat /dev/zero > "$0/fill"';
    const script = `mount -t tmpfs -o size=8m tmpfs "$0"; (${fill}) 2>/dev/null & exec "$@"`;
    const words = [...someLauncher!.words(2), ...rank(optionsOf("disk/run"))];
    const ranks = new RunningRanks(["unshare", "-m", "sh", "-c", script, disk, ...words]);
    const pids = await pidsOf(ranks, 2);
    const { err, code } = await ranks.ended();
    expect(err).toMatch(/voxgrad: \S*disk\/run\/\S+ cannot be written/);
    expect(err).not.toMatch(/^\s+at /m);
    expect(code).toBe(2);
    expect(left(pids)).toEqual([]);
  },
);
