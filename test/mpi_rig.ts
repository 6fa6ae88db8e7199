/** Programs as ranks of an MPI launcher, where one is installed. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NO_WEIGHTS } from "./cli_rig";

export interface Launcher {
  readonly name: string;
  /** Words before those of the program, for so many ranks. */
  readonly words: (ranks: number) => readonly string[];
  readonly isThere: boolean;
}

const OPEN_MPI_OPTIONS = ["--oversubscribe", "--allow-run-as-root"];

/** Debian's names, which both packages can bear side by side. */
export const OPEN_MPI: Launcher = {
  name: "Open MPI",
  words: (ranks) => ["mpirun.openmpi", ...OPEN_MPI_OPTIONS, "-n", `${ranks}`],
  isThere: Bun.which("mpirun.openmpi") !== null,
};
/** The others would be killed before they can say a word. */
export const MPICH: Launcher = {
  name: "MPICH",
  words: (ranks) => ["mpiexec.hydra", "-disable-auto-cleanup", "-n", `${ranks}`],
  isThere: Bun.which("mpiexec.hydra") !== null && existsSync("/usr/bin/mpiexec.mpich"),
};
export const LAUNCHERS = [OPEN_MPI, MPICH];

/** The first that is there. */
export const someLauncher = LAUNCHERS.find(({ isThere }) => isThere);

export function startRanks(words: readonly string[]) {
  // Sockets of Open MPI lie there; a long name of a folder would not fit their addresses.
  const folder = mkdtempSync(join(tmpdir(), "mpi-"));
  const env = { ...NO_WEIGHTS, ...process.env, TMPDIR: folder };
  const child = Bun.spawn([...words], { env, stdout: "pipe", stderr: "pipe" });
  child.exited.then(() => rmSync(folder, { recursive: true, force: true }));
  return child;
}

/** Runs a program on so many ranks to its end. */
export async function runRanks(launcher: Launcher, ranks: number, ...program: string[]) {
  const child = startRanks([...launcher.words(ranks), process.execPath, ...program]);
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}
