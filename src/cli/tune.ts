/** `bun run tune`: see docs/engine/tuning.md. */

import { iterationPicks } from "../choose/iteration_kernels";
import { tuneSecondsOption } from "../choose/tune_options";
import { capabilities } from "../gpu/capabilities";
import { openDevice } from "../hosts/bun";
import { cacheDir } from "../platform/cache";
import { tuneAtTerminal } from "../run/terminal_observer";
import { modelInfo } from "../run/trained_weights";
import { makeTrainConfig, PRESET_NAMES, presetOf } from "../settings/presets";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { runMain } from "../terminal/main";
import { listOption } from "../terminal/options";
import { printResult } from "../terminal/result";
import { tuneTable } from "./tune/table";

interface Options {
  readonly adapter?: string;
  readonly preset: string[];
  readonly force?: boolean;
  readonly tuneSeconds: number;
}

const program = makeCommand(
  "tune",
  "Finds the fastest kernels for training and prediction on an adapter, and keeps them in the cache.",
)
  .option(...ADAPTER_OPTION)
  .option("--preset <names>", `some of ${PRESET_NAMES.join(", ")}`, listOption, ["paper", "small"])
  .option("--force", "tune again what the cache has")
  .addOption(tuneSecondsOption());
program.parse();
await runMain(() => main(program.opts<Options>()));

async function main({ adapter, preset, force, tuneSeconds }: Options): Promise<void> {
  const presets = preset.map(presetOf);
  const device = await openDevice({ adapter });
  say(device.describe());
  const configs = presets.map((name) => makeTrainConfig(name, {}));
  const caps = capabilities(device);
  const picks = configs.flatMap((config) => iterationPicks(caps, config));
  const flags = { tune: force ? "force" : "on", tuneSeconds } as const;
  const { tasks } = await tuneAtTerminal(device, { picks, models: configs.map(modelInfo) }, flags);
  printResult(tuneTable(tasks));
  say(`kept in ${cacheDir("tune")}`);
}
