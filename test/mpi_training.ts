/** A tiny training that ranks share, and the same by one process. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMetrics } from "../src/run/run_folder";
import { run } from "./cli_rig";
import { writeCohort } from "./faults/cohort";
import { type Launcher, RunningRanks } from "./mpi_rig";

const TRAIN = join(import.meta.dir, "..", "src", "cli", "train.ts");
/** Open MPI's mpirun takes a --tune that stands by itself for its own, wherever it is. */
const TINY = [
  ...[
    "--preset",
    "small",
    "--filters",
    "4,8,8",
    "--groups",
    "4",
    "--patch",
    "16",
    "--stride",
    "12",
  ],
  ...[
    "--pool",
    "5",
    "--batch",
    "4",
    "--report-every",
    "4",
    "--validate-every",
    "0.5",
    "--tune=off",
  ],
];

export class SharedTraining {
  readonly folder = mkdtempSync(join(tmpdir(), "voxgrad-mpi-"));
  readonly data = join(this.folder, "data");

  static async prepare(): Promise<SharedTraining> {
    const training = new SharedTraining();
    await writeCohort(training.data, 4);
    return training;
  }

  run(name: string): string {
    return join(this.folder, name);
  }

  /** Options of a new run. @param changes come last and win */
  options(name: string, iterations: number, ...changes: string[]): string[] {
    const where = ["--data", this.data, "--val", "p01,p02", "--out", this.run(name)];
    return [...where, ...TINY, "--iterations", `${iterations}`, ...changes];
  }

  /** One process that does all of the four micro-shards. */
  alone(...options: string[]) {
    return run("train", ...options);
  }

  start(launcher: Launcher, ranks: number, ...options: string[]): RunningRanks {
    return new RunningRanks([...launcher.words(ranks), ...rank(options)]);
  }

  /** Ranks with options of their own. */
  startUnlike(launcher: Launcher, ...each: readonly (readonly string[])[]): RunningRanks {
    const [first, ...others] = each;
    const more = others.flatMap((options) => [":", "-n", "1", ...rank(options)]);
    return new RunningRanks([...launcher.words(1), ...rank(first!), ...more]);
  }

  /** Waits until the run's first report is in its folder. */
  async reported(name: string): Promise<void> {
    while (readMetrics({ path: this.run(name) }).length === 0) await Bun.sleep(20);
  }

  /** Waits until the run has a checkpoint. */
  async saved(name: string): Promise<void> {
    while (!existsSync(join(this.run(name), "last.safetensors"))) await Bun.sleep(20);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** The command line of a rank. */
export const rank = (options: readonly string[]) => [process.execPath, TRAIN, ...options];
