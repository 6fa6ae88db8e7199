/** Training over MPI by the command line: the files of a run do not depend on the ranks that made it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { differences } from "./faults/run_files";
import { someLauncher } from "./mpi_rig";
import { SharedTraining } from "./mpi_training";

let training: SharedTraining;
beforeAll(async () => {
  training = await SharedTraining.prepare();
});
afterAll(() => training.remove());

const ROWS = [
  { preset: "small", loss: "dice" },
  { preset: "best-small", loss: "batch-dice-ce" },
];
test.skipIf(!someLauncher).each(ROWS)(
  "2 ranks write the files of a single process, by $preset ($loss)",
  async ({ preset, loss }) => {
    const options = (name: string) =>
      training.options(
        `${preset}-${name}`,
        6,
        ...["--preset", preset, "--mirror", "none", "--micro-shards", "4"],
      );
    const alone = await training.alone(...options("alone"));
    expect(alone.code, alone.err).toBe(0);
    const shared = await training.start(someLauncher!, 2, ...options("shared")).ended();
    expect(shared.code, shared.err).toBe(0);
    expect(shared.err).toContain("batch 4 in 4 micro-shards of 1, shared by 2 ranks");
    const folder = training.run(`${preset}-shared`);
    expect(differences(training.run(`${preset}-alone`), folder)).toEqual([]);
    expect(readFileSync(join(folder, "config.json"), "utf8")).toContain(`"${loss}"`);
  },
);
