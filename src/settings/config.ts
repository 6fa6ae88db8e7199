/** Every setting of a training run; the themes declare them, the presets give them values. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { augmentationSettings } from "./augmentation";
import { budgetSettings, checkBudget } from "./budget";
import { checkSharing, deviceSettings } from "./device";
import { checkInference, inferenceSettings } from "./inference";
import { lineageSchema } from "./lineage";
import { checkWeights, lossSettings } from "./loss";
import { checkMining, miningSettings } from "./mining";
import { checkNetwork, networkSettings } from "./network";
import { optimisationSettings } from "./optimisation";
import { pairSettings } from "./pairs";
import { type Setting, schemasOf } from "./setting";

/** In the order of help and documentation. */
export const SETTINGS = {
  ...budgetSettings,
  ...pairSettings,
  ...networkSettings,
  ...miningSettings,
  ...lossSettings,
  ...optimisationSettings,
  ...augmentationSettings,
  ...inferenceSettings,
  ...deviceSettings,
};
export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** Settings that came later have defaults, so that older runs can be resumed. */
export const trainConfigSchema = z.strictObject({
  preset: z.string(),
  /** The weights that it starts from; absent: random ones. */
  lineage: lineageSchema.optional(),
  ...schemasOf(SETTINGS),
});

/** Settings as they are given: those with a default may be absent. */
export type TrainSettings = z.input<typeof trainConfigSchema>;
export type TrainConfig = z.output<typeof trainConfigSchema>;

/** The setting of any name. */
function settingOf(name: string): Setting | undefined {
  const all: Readonly<Record<string, Setting>> = SETTINGS;
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

const CHECKS = [checkBudget, checkNetwork, checkMining, checkWeights, checkInference, checkSharing];

/**
 * @param file that the settings were read from, for messages
 * @throws UserError naming the setting, its value and what it may be
 */
export function parseTrainConfig(
  settings: Readonly<Record<string, unknown>>,
  file?: string,
): TrainConfig {
  const parsed = trainConfigSchema.safeParse(settings);
  if (!parsed.success) {
    const message = complaint(parsed.error.issues[0]!, settings);
    throw new UserError(file === undefined ? message : `${file}: ${message}`);
  }
  const config = parsed.data;
  try {
    for (const check of CHECKS) check(config);
  } catch (error) {
    if (file === undefined || !(error instanceof UserError)) throw error;
    throw new UserError(`${file}: ${error.message}`);
  }
  return config;
}

function complaint(issue: z.core.$ZodIssue, settings: Readonly<Record<string, unknown>>): string {
  if (issue.code === "unrecognized_keys") {
    return (
      `there is no setting ${issue.keys.join(", ")} in this version of voxgrad; use the version ` +
      "that wrote it"
    );
  }
  const name = String(issue.path[0]);
  const reason = issue.message.replace(/^[A-Z][^:"]*: /, ""); // "Too small: expected …"
  return `--${settingOf(name)?.option ?? name} ${settings[name]}: ${reason}`;
}

/** @throws UserError when one of the settings that were given does nothing with the others */
export function checkUse(
  config: Readonly<Partial<Record<SettingName, unknown>>>,
  given: readonly SettingName[],
): void {
  for (const name of SETTING_NAMES.filter((each) => given.includes(each))) {
    const { option, onlyWith = {} } = SETTINGS[name];
    for (const [other, values] of Object.entries(onlyWith)) {
      const value = String(config[other as SettingName]);
      if (values.includes(value)) continue;
      throw new UserError(
        `--${option} does nothing with --${settingOf(other)?.option} ${value}: it is for ` +
          `${values.join(", ")}; leave it out`,
      );
    }
  }
}
