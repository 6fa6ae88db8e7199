/**
 * The job scripts of examples/slurm, submitted to a Slurm of one node that the script beside them sets up.
 * It needs root and Debian's slurm-wlm and munge; `bun run test test/long/slurm.test.ts` runs it alone.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { writePhantom } from "../../src/data/phantom/cohort";
import { writeSafetensors } from "../../src/data/safetensors_file";
import { writeCohort } from "../faults/cohort";
import { weightsContents } from "../weights_rig";

const ROOT = join(import.meta.dir, "..", "..");
const EXAMPLES = join(ROOT, "examples", "slurm");
const folder = mkdtempSync(join(tmpdir(), "voxgrad-slurm-"));
const node = join(folder, "node");
const [data, many, weights] = ["data", "many", "w.safetensors"].map((name) =>
  join(folder, name),
) as [string, string, string];

const missing = ["munged", "slurmctld", "slurmd", "sbatch"].filter((name) => !Bun.which(name));
const lack = missing.length > 0 ? `${missing.join(", ")} not installed` : "not root";
const isHere = missing.length === 0 && process.getuid?.() === 0;

/** Of `srun --mpi=pmix`: Slurm's plugin opens libpmix.so, which Debian has in libpmix-dev. */
const libraries = spawnSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" }).stdout ?? "";
const hasMpi = ["libpmix.so ", "libmpi.so.40 "].every((name) => libraries.includes(name));

/** Ports that another Slurm of this test does not use. */
const port = 20000 + 2 * (process.pid % 5000);
const env = {
  ...process.env,
  ...{ PATH: `${dirname(process.execPath)}:${process.env.PATH}`, SLURM_CONF: `${node}/slurm.conf` },
  ...{ CONTROLLER_PORT: `${port}`, NODE_PORT: `${port + 1}` },
};

/** @returns what a program says; it must end well */
function call(command: string, args: readonly string[], more: Record<string, string> = {}): string {
  const options = { cwd: ROOT, env: { ...env, ...more }, encoding: "utf8" } as const;
  // The daemons outlive the script: they must not hold a pipe that is waited for.
  const { status, signal, stdout, stderr } = spawnSync(command, args, options);
  if (status !== 0) {
    const how = status ?? signal;
    throw new Error(`${command} ${args.join(" ")} (${how}): ${stdout}${stderr}`);
  }
  return stdout.trim();
}

/** Submits a script as its header says; small sizes, a log for each task in a folder. */
function submit(script: string, options: readonly string[], args: readonly string[], more = {}) {
  const logs = mkdtempSync(join(folder, "logs-"));
  const small = ["--parsable", "--cpus-per-task=1", "--mem=0", `--output=${logs}/%a.log`];
  const words = [...small, ...options, join(EXAMPLES, script), ...args];
  return { job: call("sbatch", words, more), logs };
}

/** Of each task of a job, in the order of their numbers. */
function states(job: string): { id: string; state: string; restarts: number; code: string }[] {
  const fields = (line: string) =>
    Object.fromEntries([...line.matchAll(/(\w+)=(\S*)/g)].map(([, name, value]) => [name, value]));
  const lines = call("scontrol", ["show", "job", job, "--oneliner"]).split("\n").map(fields);
  return lines
    .sort((a, b) => Number(a.ArrayTaskId) - Number(b.ArrayTaskId))
    .map((line) => ({
      ...{ id: line.JobId!, state: line.JobState!, code: line.ExitCode! },
      restarts: Number(line.Restarts),
    }));
}

const OVER = ["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"];

/** A question to a busy controller may fail: it is asked again. */
async function until(what: string, holds: () => boolean): Promise<void> {
  let problem: unknown = "";
  for (let seconds = 0; seconds < 500; seconds++) {
    try {
      if (holds()) return;
    } catch (error) {
      problem = error;
    }
    await Bun.sleep(1000);
  }
  throw new Error(`never: ${what} ${problem}`);
}

async function ended(job: string) {
  const isOver = () => states(job).every(({ state }) => OVER.includes(state));
  await until(`${job} ended`, isOver);
  return states(job);
}

const patientsOf = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.startsWith("p") && !name.includes("."))
    .sort();
const logOf = (logs: string) =>
  readdirSync(logs)
    .map((name) => readFileSync(join(logs, name), "utf8"))
    .join("");

const rowsOf = (out: string): { patient: string; status: string }[] =>
  existsSync(join(out, "cohort.json"))
    ? JSON.parse(readFileSync(join(out, "cohort.json"), "utf8")).patients
    : [];
const done = (out: string) => rowsOf(out).filter(({ status }) => status === "done").length;
const predicted = (log: string) =>
  [...log.matchAll(/^(\S+): any new lesion/gm)].map(([, id]) => id!).sort();

/** Once the first task of a job has restarted it waits for two minutes; not here. */
async function goesOn(job: string): Promise<void> {
  await until(`${job} goes on`, () => {
    const { id, state, restarts } = states(job)[0]!;
    if (state === "PENDING") call("scontrol", ["update", `JobId=${id}`, "StartTime=now"]);
    return restarts === 1 && state !== "PENDING" && state !== "COMPLETING";
  });
}

describe.skipIf(!isHere)(isHere ? "Slurm" : `Slurm (skipped: ${lack})`, () => {
  const how = ["--weights", weights, "--tune", "off"];

  beforeAll(async () => {
    mkdirSync(data);
    await writePhantom(data, { patients: 6, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
    await writeCohort(many, 30);
    writeSafetensors({ path: weights, ...weightsContents() });
    call(join(EXAMPLES, "single_node.sh"), ["start", node]);
  });
  afterAll(() => {
    call(join(EXAMPLES, "single_node.sh"), ["stop", node]);
    rmSync(folder, { recursive: true, force: true });
  });

  test("an array of jobs predicts a cohort, each pair once", async () => {
    const out = join(folder, "out");
    const { job, logs } = submit("cohort.sbatch", ["--array=1-3"], [data, out, ...how]);
    const tasks = await ended(job);
    expect(
      tasks.map(({ state }) => state),
      logOf(logs),
    ).toEqual(Array(3).fill("COMPLETED"));
    expect(rowsOf(out).map(({ status }) => status)).toEqual(Array(6).fill("done"));
    expect(predicted(logOf(logs))).toEqual(patientsOf(data));
  });

  test("the time is over: back into the queue, and on with what is left", async () => {
    const out = join(folder, "requeued");
    const { job, logs } = submit("cohort.sbatch", ["--array=1-1"], [many, out, ...how]);
    await until("two pairs done", () => done(out) >= 2);
    call("scancel", ["--signal=TERM", "--batch", job]);
    await until("a restart", () => states(job)[0]!.restarts === 1);
    const before = done(out);
    expect(before).toBeLessThan(30);
    expect(readdirSync(join(out, ".cohort"))).toEqual(["settings.json"]);
    await goesOn(job);
    expect((await ended(job))[0]).toMatchObject({ state: "COMPLETED", restarts: 1 });
    expect(logOf(logs)).toContain(`30 of 30 pairs in part 1 of 1, ${30 - before} not done yet`);
    expect(predicted(logOf(logs))).toEqual(patientsOf(many));
  });

  test("scancel ends a job for good, and the same line does the rest", async () => {
    const out = join(folder, "cancelled");
    const submitAll = () => submit("cohort.sbatch", ["--array=1-1"], [many, out, ...how]);
    const { job } = submitAll();
    await until("a pair done", () => done(out) >= 1);
    call("scancel", [job]);
    expect((await ended(job))[0]).toMatchObject({ state: "CANCELLED", restarts: 0 });
    await Bun.sleep(3000);
    expect(states(job)[0]!.state).toBe("CANCELLED");
    expect(readdirSync(join(out, ".cohort"))).toEqual(["settings.json"]);
    const again = submitAll();
    expect((await ended(again.job))[0]!.state, logOf(again.logs)).toBe("COMPLETED");
    expect(done(out)).toBe(30);
  });

  test("an array trains the folds, one of them interrupted; the last one writes the table", async () => {
    const out = join(folder, "cv");
    const sizes = ["--preset", "small", "--filters", "4,8,8", "--groups", "4", "--patch", "16"];
    const work = ["--stride", "12", "--pool", "4", "--batch", "2", "--tune", "off"];
    const length = ["--iterations", "60", "--report-every", "5", "--validate-every", "0.1"];
    const args = [join(folder, "nine"), out, ...sizes, ...work, ...length];
    await writeCohort(args[0]!, 9);
    const { job, logs } = submit("folds.sbatch", ["--array=1-3"], args, { FOLDS: "3" });
    const saved = () => existsSync(join(out, "fold0", "last.state.safetensors"));
    await until("fold 0 saved", saved);
    const [first] = states(job);
    call("scancel", ["--signal=TERM", "--batch", first!.id]);
    await goesOn(job);
    expect(logOf(logs)).toContain("back into the queue");
    const tasks = await ended(job);
    expect(
      tasks.map(({ state }) => state),
      logOf(logs),
    ).toEqual(Array(3).fill("COMPLETED"));
    expect(readFileSync(join(out, "cross_validation.csv"), "utf8").trim().split("\n").length).toBe(
      10,
    );
  });

  test.skipIf(!hasMpi)("a training over MPI is interrupted, and goes on", async () => {
    const run = join(folder, "mpi");
    const sizes = ["--preset", "small", "--filters", "4,8,8", "--groups", "4", "--patch", "16"];
    const work = ["--stride", "12", "--pool", "8", "--batch", "4", "--tune=off", "--val", "p01"];
    const length = ["--iterations", "200", "--report-every", "5", "--validate-every", "0.05"];
    const args = [many, run, ...sizes, ...work, ...length];
    const { job, logs } = submit("mpi.sbatch", ["--ntasks=2"], args);
    await until("it saved", () => existsSync(join(run, "last.state.safetensors")));
    call("scancel", ["--signal=TERM", "--batch", job]);
    await goesOn(job);
    expect((await ended(job))[0], logOf(logs)).toMatchObject({ state: "COMPLETED", restarts: 1 });
    expect(logOf(logs).match(/^2 ranks by Open MPI/gm)?.length).toBe(2);
    expect(existsSync(join(run, "validation.json"))).toBe(true);
  });
});
