/** The grids that come along: every arm is a training that `bun run train` accepts. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { withTrainOptions } from "../src/cli/train/options";
import { newConfig } from "../src/cli/train/settings";
import { plannedRuns, readGrid, trainArguments } from "../src/experiment/grid";
import type { Device } from "../src/gpu/device";
import { PARTS } from "../src/settings/augmentation";
import { LOSSES } from "../src/settings/loss";
import { makeCommand } from "../src/terminal/command";

const GRIDS = join(import.meta.dir, "../src/experiment");
const device = { info: { type: "software" } } as Device;

for (const file of readdirSync(GRIDS).filter((name) => name.endsWith(".yaml"))) {
  test(file, () => {
    const grid = readGrid(join(GRIDS, file));
    const runs = plannedRuns(grid, [0]);
    expect(runs.length).toBeGreaterThan(2);
    for (const { settings } of runs) {
      const command = makeCommand("train", "");
      withTrainOptions(command);
      command.parse(trainArguments(settings), { from: "user" });
      const config = newConfig(device, command) as Record<string, unknown>;
      for (const [key, value] of Object.entries(settings)) {
        const name = key.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
        const expected = key === "augment" ? PARTS.read(`${value}`) : value;
        expect(config[name], `${file}: ${key}`).toEqual(expected);
      }
    }
  });
}

test("losses.yaml compares every loss that there is", () => {
  const { figures } = readGrid(join(GRIDS, "losses.yaml"));
  const arms = figures.flatMap((figure) => Object.values(figure.arms));
  expect(new Set(arms.map(({ loss }) => loss))).toEqual(new Set(LOSSES));
});
