/** Parsers for command-line values: each names the option in its message. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { MIRRORS, type Mirror } from "../infer/mirror";
import { AUGMENTATIONS, type AugmentationPart } from "../train/augment";
import { TUNE_MODES, type TuneMode } from "../tune/policy";

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600 };

/** `90s`, `20m`, `3h`, `1.5h` → seconds. */
export function durationOption(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|min|h)$/.exec(text);
  const seconds = match ? Number(match[1]) * UNITS[match[2]!]! : 0;
  if (!(seconds > 0)) throw new InvalidArgumentError("expected a time such as 90s, 20m or 3h.");
  return seconds;
}

export function numberOption(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    throw new InvalidArgumentError("expected a number.");
  }
  return value;
}

/** A number above 0. */
export function positiveOption(text: string): number {
  const value = numberOption(text);
  if (value > 0) return value;
  throw new InvalidArgumentError("expected a number above 0.");
}

/** A number from 0 to 1. */
export function probabilityOption(text: string): number {
  const value = numberOption(text);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("expected a number from 0 to 1.");
}

/** A number of at least 0. */
export function nonNegativeOption(text: string): number {
  const value = numberOption(text);
  if (value >= 0) return value;
  throw new InvalidArgumentError("expected a number of at least 0.");
}

/** A whole number of at least 1. */
export function countOption(text: string): number {
  const value = numberOption(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError("expected a whole number of at least 1.");
  }
  return value;
}

/** `16,32,64` → [16, 32, 64]. */
export function numbersOption(text: string): number[] {
  return text.split(",").map(numberOption);
}

export function listOption(text: string): string[] {
  return text.split(",").filter((part) => part !== "");
}

/** `xyz`, `x`, or `none` → "". */
export function mirrorOption(text: string): Mirror {
  const axes = text === "none" ? "" : [...new Set(text)].sort().join("");
  const mirror = MIRRORS.find((known) => known === axes);
  if (mirror !== undefined && text !== "") return mirror;
  throw new InvalidArgumentError("expected axes such as x or xyz, or none.");
}

/** `all`, `none` or names of parts → parts. */
export function augmentOption(text: string): AugmentationPart[] {
  if (text === "all") return [...AUGMENTATIONS];
  if (text === "none") return [];
  const names = listOption(text);
  const unknown = names.find((name) => !AUGMENTATIONS.some((part) => part === name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `there is no part ${unknown}; expected all, none, or some of ${AUGMENTATIONS.join(",")}.`,
    );
  }
  return AUGMENTATIONS.filter((part) => names.includes(part));
}

/** `8G`, `500M` → bytes. */
export function bytesOption(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([MG])i?B?$/i.exec(text);
  if (!match) throw new InvalidArgumentError("expected a size such as 500M or 8G.");
  return Math.round(Number(match[1]) * (match[2]!.toUpperCase() === "G" ? 2 ** 30 : 2 ** 20));
}

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
