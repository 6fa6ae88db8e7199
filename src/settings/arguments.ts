/** The settings of a training as the arguments of `bun run train`. */
import { SETTING_NAMES, SETTINGS, type SettingName, type TrainConfig } from "./config";
import { makeTrainConfig, presetOf } from "./presets";
import { written } from "./setting";

/** Those by which it differs from its preset. @throws UserError when there is no such preset */
export function settingsArguments(config: TrainConfig): string[] {
  const preset = makeTrainConfig(presetOf(config.preset), {});
  const changed = SETTING_NAMES.filter((name) => isOther(config, preset, name));
  return ["--preset", config.preset, ...changed.flatMap((name) => argumentsOf(config, name))];
}

const isOther = (a: TrainConfig, b: TrainConfig, name: SettingName) =>
  a[name] !== undefined && JSON.stringify(a[name]) !== JSON.stringify(b[name]);

function argumentsOf(config: TrainConfig, name: SettingName): string[] {
  const { option, takes } = SETTINGS[name];
  if ("argument" in takes) return [`--${option}`, written(SETTINGS[name], config[name])];
  return [config[name] ? `--${option}` : `--no-${option}`];
}
