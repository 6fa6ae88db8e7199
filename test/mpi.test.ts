/** MPI: the libraries' collective operations, called as training calls them. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { launchOf, withoutLauncher } from "../src/mpi/launch";
import { localRank } from "../src/mpi/places";
import { disagreement } from "../src/run/agreement";
import { LAUNCHERS, type Launcher, runRanks } from "./mpi_rig";

const WORKER = join(import.meta.dir, "mpi_worker.ts");

const BY_TCP = { UCX_TLS: "tcp,self", OMPI_MCA_btl: "tcp,self" };

async function expectExchange(
  launcher: Launcher,
  size: number,
  env?: Record<string, string>,
): Promise<void> {
  const { out, err, code } = await runRanks(launcher, size, [WORKER], env);
  expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
  const lines = out.split("\n").filter((line) => line.startsWith("{"));
  const found = lines.map((line) => JSON.parse(line)).sort((a, b) => a.rank - b.rank);
  const all = Array.from({ length: size }, (_, rank) => rank);
  const values = all.map((rank) => ({ rank, text: "é".repeat(rank) }));
  const sum = (size * (size + 1)) / 2;
  const same = { size, isRight: true, sum, values, told: { from: 0 }, long: 3000 };
  expect(found).toEqual(all.map((rank) => ({ rank, ...same })));
  expect(err).not.toContain("MPI_Finalize");
}

describe.each(LAUNCHERS)("$name", (launcher) => {
  test.skipIf(!launcher.isThere)("gathers, sums and broadcasts among 3 ranks", async () => {
    await expectExchange(launcher, 3);
  });

  // Between machines it is TCP. UCX then ends badly when ranks come to MPI_Finalize at different times.
  test.skipIf(!launcher.isThere)("and by TCP, to the end, again and again", async () => {
    for (let ranks = 2; ranks <= 6; ranks++) await expectExchange(launcher, ranks, BY_TCP);
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

test("ranks that differ are told with what differs, and what to do", () => {
  const same = { version: "1", adapter: "a", settings: "s", data: "d" };
  const nameOf = (rank: number) => `rank ${rank}`;
  expect(disagreement([same, same, same], nameOf)).toBeUndefined();
  expect(disagreement([same, { ...same, version: "2" }, same], nameOf)).toBe(
    "the ranks' version differ: rank 1 has 2, rank 0 has 1; use one version of voxgrad everywhere",
  );
  const apart = [same, { ...same, data: "e" }, { ...same, data: "f" }];
  expect(disagreement(apart, nameOf)).toMatch(
    /data differ: rank 1 has e, rank 2 has f, rank 0 has d;/,
  );
});

test("the ranks of each machine are counted by themselves", () => {
  const places = ["a", "b", "a", "b", "a"].map((host, pid) => ({ host, pid }));
  expect(places.map((_, rank) => localRank(rank, places).rank)).toEqual([0, 0, 1, 1, 2]);
  expect(localRank(4, places).size).toBe(3);
});
