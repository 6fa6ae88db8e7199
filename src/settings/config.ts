/** Every setting of a training run; themes lie in settings/, the presets in presets.ts. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { augmentationSettings } from "./augmentation";
import { budgetSettings } from "./budget";
import { deviceSettings } from "./device";
import { checkInference, inferenceSettings } from "./inference";
import { checkWeights, lossSettings } from "./loss";
import { checkMining, miningSettings } from "./mining";
import { checkNetwork, networkSettings } from "./network";
import { optimisationSettings } from "./optimisation";
import { optionOf } from "./values";

/** Settings that came later have defaults, so that older runs can be resumed. */
export const trainConfigSchema = z.object({
  preset: z.string(),
  ...budgetSettings,
  ...networkSettings,
  ...miningSettings,
  ...lossSettings,
  ...optimisationSettings,
  ...augmentationSettings,
  ...inferenceSettings,
  ...deviceSettings,
});

/** Settings as they are given: those with a default may be absent. */
export type TrainSettings = z.input<typeof trainConfigSchema>;
export type TrainConfig = z.output<typeof trainConfigSchema>;

/** @throws UserError naming the setting, its value and what it may be */
export function parseTrainConfig(settings: Readonly<Record<string, unknown>>): TrainConfig {
  const parsed = trainConfigSchema.safeParse(settings);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const name = String(issue.path[0]);
    const reason = issue.message.replace(/^[A-Z][^:"]*: /, ""); // "Too small: expected …"
    throw new UserError(`--${optionOf(name)} ${settings[name]}: ${reason}`);
  }
  const config = parsed.data;
  for (const check of [checkNetwork, checkMining, checkWeights, checkInference]) check(config);
  return config;
}
