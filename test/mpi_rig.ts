/** Programs as ranks of an MPI launcher, where one is installed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NO_WEIGHTS } from "./cli_rig";

export interface Launcher {
  readonly name: string;
  /** Words before those of the program, for so many ranks. */
  readonly words: (ranks: number) => readonly string[];
  readonly isThere: boolean;
}

/** After a rank has ended, Open MPI gives the others so many seconds in place of one, and waits as long. */
const SECONDS_TO_SAVE = ["--mca", "odls_base_sigkill_timeout", "10"];
const FEW_CORES = ["--oversubscribe", "--allow-run-as-root"];

/** Debian's names, which both packages can bear side by side. */
export const OPEN_MPI: Launcher = {
  name: "Open MPI",
  words: (n) => ["mpirun.openmpi", ...FEW_CORES, ...SECONDS_TO_SAVE, "-n", `${n}`],
  isThere: Bun.which("mpirun.openmpi") !== null,
};
/** By default it kills the others as soon as one exits with another code than 0. */
export const MPICH: Launcher = {
  name: "MPICH",
  words: (n) => ["mpiexec.hydra", "-disable-auto-cleanup", "-n", `${n}`],
  isThere: Bun.which("mpiexec.hydra") !== null && Bun.which("mpiexec.mpich") !== null,
};
/**
 * MPICH with two of its proxies, as on two machines: each looks after its own ranks, and messages go by TCP.
 */
export const MPICH_OF_TWO: Launcher = {
  ...MPICH,
  name: "MPICH of two proxies",
  words: (n) => {
    const [command, ...words] = MPICH.words(n);
    const apart = ["-launcher", "fork", "-hosts", "one,two", "-ppn", "1"];
    return [command!, ...apart, "-genv", "UCX_TLS", "tcp,self", ...words];
  },
};
export const LAUNCHERS = [OPEN_MPI, MPICH];

/** The first that is there. */
export const someLauncher = LAUNCHERS.find(({ isThere }) => isThere);

/** Words that start a program in ranks, on its way, with what it has said. */
export class RunningRanks {
  private readonly child;
  /** Of standard error, so far. */
  said = "";
  private readonly out: Promise<string>;
  private readonly heard: Promise<void>;

  constructor(words: readonly string[], more: Readonly<Record<string, string>> = {}) {
    // Sockets of Open MPI lie there; a long name of a folder would not fit their addresses.
    const folder = mkdtempSync(join(tmpdir(), "mpi-"));
    const env = { ...NO_WEIGHTS, ...process.env, TMPDIR: folder, ...more };
    this.child = Bun.spawn([...words], { env, stdout: "pipe", stderr: "pipe" });
    this.child.exited.then(() => rmSync(folder, { recursive: true, force: true }));
    this.out = new Response(this.child.stdout).text();
    this.heard = this.listen();
  }

  private async listen(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.child.stderr) {
      this.said += decoder.decode(bytes, { stream: true });
    }
  }

  /** Waits until it has said this. @throws Error where it ends before */
  async says(what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = what.exec(this.said);
      if (found) return found;
      if (this.child.exitCode !== null) throw new Error(`ended without ${what}:\n${this.said}`);
      await Bun.sleep(20);
    }
  }

  /** The process of a rank, as rank 0 told it. */
  async processOf(rank: number): Promise<number> {
    const found = await this.says(new RegExp(`[:,] ${rank} process (\\d+) on `));
    return Number(found[1]);
  }

  /** Its standard output and error and its exit code, at its end. */
  async ended() {
    const [out, code] = await Promise.all([this.out, this.child.exited, this.heard]);
    return { out, err: this.said, code };
  }
}

/** Runs a program on so many ranks to its end. */
export function runRanks(
  launcher: Launcher,
  ranks: number,
  program: readonly string[],
  env?: Readonly<Record<string, string>>,
) {
  return new RunningRanks([...launcher.words(ranks), process.execPath, ...program], env).ended();
}
