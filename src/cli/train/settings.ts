/** Turns the options of `bun run train` into the settings of a run. */
import type { Command } from "commander";
import type { TuneFlags } from "../../choose/tune_options";
import { UserError } from "../../core/errors";
import type { Device } from "../../gpu/device";
import { configPath, type RunFolder } from "../../run/run_folder";
import { settingsOf } from "../../run/start_parameters";
import { readStart, type StartWeights, startText } from "../../run/start_weights";
import {
  checkUse,
  parseTrainConfig,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  type TrainConfig,
} from "../../settings/config";
import type { StartParts } from "../../settings/lineage";
import { DEFAULT_PRESET, makeTrainConfig, presetHint, presetOf } from "../../settings/presets";
import { say } from "../../terminal/command";
import { checkPaths, given } from "../../terminal/command_paths";
import type { Shard } from "../../terminal/shard";
import type { Live } from "./live_page";

export interface TrainFlags extends TuneFlags {
  readonly data?: string;
  readonly trainData?: string[];
  readonly generate?: string[];
  readonly preset?: string;
  readonly val?: string[];
  readonly folds?: number;
  readonly fold?: number;
  readonly shard?: Shard;
  readonly out?: string;
  readonly from?: string;
  readonly fromParts: StartParts;
  readonly resume?: string;
  readonly adapter?: string;
  readonly budget?: number;
  readonly iterations?: number;
  readonly live?: Live;
  readonly mpi?: boolean;
  /** Started after the loss of a device (lost_device.ts). */
  readonly afterLoss?: boolean;
  readonly [setting: string]: unknown;
}

/** Flags that are on by default have a value whether given or not. */
const isGiven = (command: Command, name: string) => command.getOptionValueSource(name) === "cli";

/** Options that a resumed run accepts. */
const OF_A_RESUMED_RUN = [
  ...[
    "resume",
    "adapter",
    "data",
    "budget",
    "iterations",
    "tune",
    "tuneSeconds",
    "afterLoss",
    "live",
    "mpi",
  ],
];

/** Before the work. @throws UserError for a run folder that is the data's, or that cannot be made */
export function checkRunPaths({ data, trainData, generate, from, out, resume }: TrainFlags): void {
  checkPaths({
    reads: [
      ...[given("--data", data), given("--train-data", trainData)],
      given("--generate", generate),
      ...[given("--from", from), given("--resume", resume)],
    ],
    fills: [given("--out", out)],
  });
}

/**
 * The preset, with what was given on the command line.
 * @param note gets lines for the user
 */
export function newConfig(
  device: Device,
  command: Command,
  note: (line: string) => void = say,
): TrainConfig {
  const options = command.opts<TrainFlags>();
  const adapter = device.info.type === "software" ? "software" : "gpu";
  const preset = presetOf(options.preset ?? DEFAULT_PRESET[adapter]);
  const hint = presetHint(preset, adapter);
  if (hint !== undefined) note(hint);
  const given = SETTING_NAMES.filter((name) => isGiven(command, attributeOf(name)));
  const changes = Object.fromEntries(given.map((name) => [name, options[attributeOf(name)]]));
  const start = startOf(command);
  const followed = start && settingsOf(start.info);
  // The windows of another patch are other ones too.
  if (given.includes("patch")) delete followed?.stride;
  const lineage = start && [...start.lineage];
  const own = { ...followed, ...changes, ...budgetOf(options), lineage };
  const config = makeTrainConfig(preset, own);
  checkUse(config, given);
  if (start) for (const line of startText(start, config)) note(line);
  return config;
}

/** The weights that --from names. */
function startOf(command: Command): StartWeights | undefined {
  const { from, fromParts } = command.opts<TrainFlags>();
  if (from !== undefined) return readStart(from, fromParts);
  if (!isGiven(command, "fromParts")) return undefined;
  throw new UserError("--from-parts: says which part of the weights of --from; give that too");
}

/** The name under which commander keeps a setting's option. */
const attributeOf = (name: SettingName): string =>
  SETTINGS[name].option.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

export function budgetOf({
  budget,
  iterations,
}: TrainFlags): Pick<TrainConfig, "seconds" | "iterations"> {
  if (budget !== undefined && iterations !== undefined) {
    throw new UserError("--budget and --iterations exclude each other: give one of them");
  }
  return { seconds: budget, iterations };
}

/** @throws UserError where a resumed run is given settings that it has already */
export function refuseSettings(command: Command, path: string, also: readonly string[] = []): void {
  const allowed = [...OF_A_RESUMED_RUN, ...also];
  const names = new Set(command.options.map((option) => option.attributeName()));
  const fixed = [...names].filter((name) => isGiven(command, name) && !allowed.includes(name));
  if (fixed.length > 0) {
    const named = fixed.map(
      (name) => command.options.find((option) => option.attributeName() === name)?.long,
    );
    throw new UserError(
      `--resume ${path}: a resumed run keeps its settings; leave out ${named.join(", ")}`,
    );
  }
}

/** A resumed run keeps its settings; only its budget may be changed. */
export function resumedConfig(folder: RunFolder, command: Command): TrainConfig {
  refuseSettings(command, folder.path);
  const { seconds, iterations, ...settings } = folder.config;
  const given = budgetOf(command.opts<TrainFlags>());
  const budget = (given.seconds ?? given.iterations) ? given : { seconds, iterations };
  return parseTrainConfig({ ...settings, ...budget }, configPath(folder.path));
}

/** The arguments of another process that goes on with the run in a folder. */
export function resumeArguments(
  folder: string,
  { adapter, budget, iterations, tune, tuneSeconds, data }: TrainFlags,
): string[] {
  const passedOn = {
    ...{ resume: folder, adapter, iterations, tune, data, "tune-seconds": tuneSeconds },
    budget: budget === undefined ? undefined : `${budget}s`,
  };
  return Object.entries(passedOn).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, `${value}`],
  );
}
