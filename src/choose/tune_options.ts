/** The options of tuning, for every command that runs the network. */
import { type Command, Option } from "commander";
import { positiveOption } from "../terminal/options";
import { TUNE_MODES, type TuneMode } from "../tune/policy";

/** Settings of the tuner, for every command that runs the network. */
export interface TuneFlags {
  readonly tune: TuneMode;
  readonly tuneSeconds: number;
}

/** Most seconds that tuning takes unless told otherwise. */
const TUNE_SECONDS = 60;

export const tuneSecondsOption = (): Option =>
  new Option("--tune-seconds <n>", "most seconds that tuning takes; the rest is tuned next time")
    .argParser(positiveOption)
    .default(TUNE_SECONDS);

/** Adds the options of {@link TuneFlags}. */
export function withTuneOptions(command: Command): Command {
  const how =
    "choose kernels by the defaults (off), by what was tuned, and on a GPU tune what was not";
  return command
    .addOption(
      new Option("--tune <mode>", `${how} (auto), tune everywhere (on), or all again (force)`)
        .choices(TUNE_MODES)
        .default("auto" satisfies TuneMode),
    )
    .addOption(tuneSecondsOption());
}
