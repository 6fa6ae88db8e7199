/** A tiny training that is killed, gone on with, and compared with one that nothing interrupted. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeCohort } from "./cohort";
import { differences } from "./run_files";

const ROOT = join(import.meta.dir, "../..");
const SEAM = join(import.meta.dir, "kill_at_rename.ts");
const SIZES = ["--filters", "4,8,8", "--groups", "4", "--patch", "16", "--stride", "12"];
const BATCHES = ["--pool", "4", "--batch", "2", "--report-every", "8", "--telemetry", "full"];
const PACE = ["--iterations", "60", "--validate-every", "0.22"];
const SETTINGS = ["--preset", "small", ...SIZES, ...BATCHES, ...PACE, "--tune", "off"];

/** When a session ends: at a rename (kill_at_rename.ts), or after so many milliseconds. */
export type Kill = { readonly rename: string } | { readonly after: number };

export class KilledTraining {
  private made = 0;

  private constructor(
    private readonly folder: string,
    /** The uninterrupted run. */
    readonly whole: string,
    /** Milliseconds that it took. */
    readonly duration: number,
    /** The files that got their names in it, in order. */
    readonly renamed: readonly string[],
  ) {}

  /** Writes the cohort and trains the uninterrupted run, in a folder that is made new. */
  static async prepare(folder: string): Promise<KilledTraining> {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    await writeCohort(join(folder, "data"), 4, [2]);
    const whole = join(folder, "whole");
    const counts = join(folder, "renames.txt");
    const training = new KilledTraining(folder, whole, 0, []);
    const first = join(folder, "first");
    await training.finish(first); // prepares the patients and compiles
    const start = performance.now();
    await training.finish(whole, { COUNT_IN: counts });
    const renamed = readFileSync(counts, "utf8").trimEnd().split("\n");
    const differ = differences(first, whole);
    if (differ.length > 0) throw new Error(`two runs differ: ${differ.join(", ")}`);
    return new KilledTraining(folder, whole, performance.now() - start, renamed);
  }

  /** The path of a run that has not begun. */
  newRun(): string {
    return join(this.folder, `run${++this.made}`);
  }

  /** Starts the run or goes on with it, until it ends or is killed; whether it was killed. */
  async session(run: string, kill: Kill): Promise<boolean> {
    const child = this.start(run, "rename" in kill ? { KILL_AT: kill.rename } : {});
    const timer = "after" in kill ? setTimeout(() => child.kill("SIGKILL"), kill.after) : undefined;
    const [err] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    clearTimeout(timer);
    if (child.signalCode === "SIGKILL") return true;
    if (child.exitCode === 0) return false;
    throw new Error(`${run}: exit code ${child.exitCode}\n${err}`);
  }

  /** Goes on with the run to its end. */
  async finish(run: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
    const child = this.start(run, env);
    const [err, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    if (code !== 0) throw new Error(`${run}: exit code ${code}\n${err}`);
  }

  /** The names of the files in which a finished run differs from the uninterrupted one. */
  differences(run: string): string[] {
    return differences(this.whole, run);
  }

  private start(run: string, env: Readonly<Record<string, string>>) {
    const hasBegun = existsSync(join(run, "config.json"));
    const data = ["--data", join(this.folder, "data"), "--val", "p01,p02"];
    const args = hasBegun ? ["--resume", run] : ["--out", run, ...data, ...SETTINGS];
    const script = join(ROOT, "src/cli/train.ts");
    return Bun.spawn([process.execPath, "--preload", SEAM, script, ...args], {
      ...{ cwd: ROOT, stdout: "ignore", stderr: "pipe" },
      env: { ...process.env, ...env },
    });
  }
}
