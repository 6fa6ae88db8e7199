/** The options of `bun run train`: of a run, and every setting as src/settings declares it. */
import { type Command, Option } from "commander";
import { withTuneOptions } from "../../choose/tune_options";
import { SETTING_NAMES, SETTINGS, type SettingName } from "../../settings/config";
import { START_PARTS, type StartParts } from "../../settings/lineage";
import { DEFAULT_PRESET, presetsFor, sharedDefault } from "../../settings/presets";
import { ABSENT } from "../../settings/setting";
import { ADAPTER_OPTION } from "../../terminal/command";
import {
  countOption,
  idsOption,
  numberOption,
  optionParser,
  pathsOption,
} from "../../terminal/options";
import { readShard } from "../../terminal/shard";
import { LIVE_PORT } from "../view/beside_training";

function withRunOptions(command: Command): void {
  const [gpu, software] = [presetsFor("gpu").join(" or "), presetsFor("software").join(" or ")];
  const { gpu: onGpu, software: onSoftware } = DEFAULT_PRESET;
  command
    .optionsGroup(`${SETTINGS.seconds.group}:`)
    .option("--data <dir>", "cohort in the MSSEG-2 layout; without it a phantom cohort is made")
    .option("--train-data <dirs>", "more pairs that only train, e.g. of `synthesise`", pathsOption)
    .option("--generate <dirs>", "scans that pairs are generated of while it trains", pathsOption)
    .option(
      "--preset <name>",
      `${gpu}, for software adapters ${software} (default: ${onGpu} or ${onSoftware})`,
    )
    .option("--val <ids>", "patients that validate, by id, separated by commas", idsOption)
    .option(
      "--folds <n>",
      "cross-validation: train n times, a run folder each in --out",
      numberOption,
    )
    .option("--fold <k>", "only fold k of them, from 0; alone: of 4 folds, one run", numberOption)
    .option(
      "--shard <i/n>",
      "only the i-th of n parts of the folds: for jobs on several machines",
      optionParser(readShard),
    )
    .option("--out <dir>", "run folder to make (default: runs/<time>-<preset>)")
    .option(
      "--from <file>",
      "start from these weights: a weights file, the folder of a run, or shipped",
    )
    .addOption(
      new Option("--from-parts <parts>", "of them: all, or the body, without the head")
        .choices(START_PARTS)
        .default("all" satisfies StartParts),
    )
    .option("--resume <dir>", "go on with the run, or the cross-validation, in this folder")
    .option(
      "--live [port]",
      `a page in the browser that follows the run (default port: ${LIVE_PORT}, or the next free one)`,
      countOption,
    )
    .option("--no-mpi", "train alone, though mpirun or srun started several processes");
}

function withSetting(command: Command, name: SettingName): void {
  const { option, takes, help, group } = SETTINGS[name];
  command.optionsGroup(`${group}:`);
  if ("argument" in takes) {
    const value = sharedDefault(name);
    const shown = value === undefined || value === ABSENT ? help : `${help} (default: ${value})`;
    const { argument, notation } = takes;
    command.option(`--${option} ${argument}`, shown, optionParser(notation.read));
  } else if (takes.turns === "off") {
    command.option(`--no-${option}`, help);
  } else {
    command
      .option(`--${option}`, `${help} (off: --no-${option})`)
      .addOption(new Option(`--no-${option}`).hideHelp());
  }
}

/** All of them, in the order of --help. */
export function withTrainOptions(command: Command): void {
  withRunOptions(command);
  for (const name of SETTING_NAMES) withSetting(command, name);
  command.option(...ADAPTER_OPTION);
  withTuneOptions(command);
}
