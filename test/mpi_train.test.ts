/** Training over MPI by the command line: the files of a run do not depend on the ranks that made it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { differences } from "./faults/run_files";
import { someLauncher } from "./mpi_rig";
import { SharedTraining } from "./mpi_training";

let training: SharedTraining;
beforeAll(async () => {
  training = await SharedTraining.prepare();
});
afterAll(() => training.remove());

test.skipIf(!someLauncher)("2 ranks write the files of a single process", async () => {
  const options = (name: string) => training.options(name, 6, "--micro-shards", "4");
  const alone = await training.alone(...options("alone"));
  expect(alone.code, alone.err).toBe(0);
  const shared = await training.start(someLauncher!, 2, ...options("shared")).ended();
  expect(shared.code, shared.err).toBe(0);
  expect(shared.err).toContain("batch 4 in 4 micro-shards of 1, shared by 2 ranks");
  expect(differences(training.run("alone"), training.run("shared"))).toEqual([]);
});
