/** The launcher of MPI that has started this process as one of several, and its library. */
import { fstatSync } from "node:fs";
import { UserError } from "../core/errors";
import type { Abi } from "./abi";
import { MPICH } from "./mpich";
import { OPEN_MPI } from "./open_mpi";

export interface Launch {
  readonly abi: Abi;
  /** The number of processes; absent where the launcher tells it to the library alone. */
  readonly size?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * By the variables that launchers set: Open MPI's `mpirun`, MPICH's `mpiexec` (Hydra), and Slurm's `srun`
 * with `--mpi=pmix` (Open MPI) or `--mpi=pmi2` (MPICH). Undefined for a process that was started alone,
 * and for the one task of a Slurm step, which many sites start so whatever it does.
 */
export function launchOf(env: Environment): Launch | undefined {
  const { OMPI_COMM_WORLD_SIZE: openMpi, PMI_SIZE: pmi, PMIX_RANK: pmix, SLURM_NTASKS } = env;
  if (openMpi !== undefined) return { abi: OPEN_MPI, size: Number(openMpi) };
  const isHydra = env.MPI_LOCALNRANKS !== undefined;
  if (pmix !== undefined) return several(OPEN_MPI, SLURM_NTASKS);
  if (pmi !== undefined) return isHydra ? { abi: MPICH, size: Number(pmi) } : several(MPICH, pmi);
  return isHydra && env.PMI_PORT !== undefined ? { abi: MPICH } : undefined;
}

function several(abi: Abi, size: string | undefined): Launch | undefined {
  return size === "1" ? undefined : { abi, size: size === undefined ? undefined : Number(size) };
}

/** Names of the variables by which a process finds its launcher. */
const OF_LAUNCHERS = /^(OMPI_COMM_|PMI_|PMIX_|MPI_LOCAL)/;

/** An environment for a process that is none of the launcher's. */
export function withoutLauncher(env: Environment): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OF_LAUNCHERS.test(name)));
}

/**
 * Hydra hands its processes an open file to talk to it by, and `bun run` closes that.
 * @throws UserError where it is closed
 */
export function checkLine({ PMI_FD: file }: Environment): void {
  if (file === undefined) return;
  try {
    fstatSync(Number(file));
  } catch {
    throw new UserError(
      "MPICH's mpiexec hands its ranks an open file (PMI_FD), which `bun run` closes: start them by " +
        "`mpiexec -pmi-port -n … bun run train …`, or by `bun src/cli/train.ts` in place of `bun run train`",
    );
  }
}
