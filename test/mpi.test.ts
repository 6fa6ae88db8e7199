/** MPI: the libraries' collective operations, called as training calls them. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { launchOf, withoutLauncher } from "../src/mpi/launch";
import { LAUNCHERS, runRanks } from "./mpi_rig";

const WORKER = join(import.meta.dir, "mpi_worker.ts");

describe.each(LAUNCHERS)("$name", (launcher) => {
  test.skipIf(!launcher.isThere)("gathers, sums and broadcasts among 3 ranks", async () => {
    const { out, err, code } = await runRanks(launcher, 3, WORKER);
    expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
    const lines = out.split("\n").filter((line) => line.startsWith("{"));
    const found = lines.map((line) => JSON.parse(line)).sort((a, b) => a.rank - b.rank);
    const values = [0, 1, 2].map((rank) => ({ rank, text: "é".repeat(rank) }));
    const told = { from: 0 };
    expect(found).toEqual(
      [0, 1, 2].map((rank) => ({ rank, size: 3, isRight: true, sum: 6, values, told, entered: 6 })),
    );
  });
});

test("a launcher is known by its variables", () => {
  const of = (env: Record<string, string>) => {
    const launch = launchOf(env);
    return launch && `${launch.abi.name} ${launch.size}`;
  };
  expect(of({})).toBeUndefined();
  expect(of({ OMPI_COMM_WORLD_SIZE: "4", PMIX_RANK: "0" })).toBe("Open MPI 4");
  expect(of({ PMIX_RANK: "1", SLURM_NTASKS: "8" })).toBe("Open MPI 8");
  expect(of({ PMI_RANK: "1", PMI_SIZE: "4", PMI_FD: "6", MPI_LOCALNRANKS: "2" })).toBe("MPICH 4");
  expect(of({ PMI_PORT: "a:1", PMI_ID: "0", MPI_LOCALNRANKS: "2" })).toBe("MPICH undefined");
  expect(of({ PMI_RANK: "0", PMI_SIZE: "3" })).toBe("MPICH 3");
});

test("one task of Slurm is a process like any other, one rank of mpirun is not", () => {
  expect(launchOf({ PMI_RANK: "0", PMI_SIZE: "1", SLURM_NTASKS: "1" })).toBeUndefined();
  expect(launchOf({ PMIX_RANK: "0", SLURM_NTASKS: "1" })).toBeUndefined();
  expect(launchOf({ OMPI_COMM_WORLD_SIZE: "1" })?.size).toBe(1);
});

test("a process that a rank starts is no rank", () => {
  const env = { OMPI_COMM_WORLD_SIZE: "4", PMI_SIZE: "4", PMIX_RANK: "0", PATH: "/bin" };
  expect(withoutLauncher(env)).toEqual({ PATH: "/bin" });
});
