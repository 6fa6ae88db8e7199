/** A run's settings as its options were given, for people to compare. */
import { isAbsolute, relative } from "node:path";
import type { RunFolder } from "../run/run_folder";
import { SETTING_NAMES, SETTINGS, type SettingName } from "../settings/config";
import { lineageSchema } from "../settings/lineage";
import { ABSENT, written } from "../settings/setting";
import type { RunInfo } from "./message";

/** @param config of any version: a setting that this one does not know is shown as it stands */
export function settingRows(config: Readonly<Record<string, unknown>>): [string, string][] {
  const { preset, lineage, ...rest } = config;
  const unknown = Object.keys(rest).filter((name) => !SETTING_NAMES.includes(name as SettingName));
  return [
    ["--preset", String(preset ?? ABSENT)],
    ...(lineage === undefined ? [] : [["--from", lineageText(lineage)] as [string, string]]),
    ...SETTING_NAMES.map((name): [string, string] => [
      `--${SETTINGS[name].option}`,
      settingText(name, config[name]),
    ]),
    ...unknown.map((name): [string, string] => [name, JSON.stringify(config[name])]),
  ];
}

/** The files, the newest first, each with the beginning of its SHA-256. */
function lineageText(lineage: unknown): string {
  const { success, data } = lineageSchema.safeParse(lineage);
  if (!success) return JSON.stringify(lineage);
  return data.map(({ weights, sha256 }) => `${weights} (${sha256.slice(0, 8)})`).join(" ← ");
}

function settingText(name: SettingName, value: unknown): string {
  // `written` says of a switch that turns off whether it is given.
  if (typeof value === "boolean") return value ? "on" : "off";
  try {
    return written(SETTINGS[name], value) || ABSENT;
  } catch {
    return JSON.stringify(value);
  }
}

export function infoOf({ config, split }: RunFolder, name: string): RunInfo {
  const { iterations, seconds } = config as { iterations?: number; seconds?: number };
  const data = split.data ? relativeIfShorter(split.data) : "the phantom cohort";
  return {
    ...{ name, iterations, seconds },
    settings: [["--data", data], ...settingRows(config)],
    ...{ trains: split.train.length, validates: split.val },
  };
}

function relativeIfShorter(path: string): string {
  const near = isAbsolute(path) ? relative(process.cwd(), path) : path;
  return near !== "" && near.length < path.length ? near : path;
}
