/** Named sets of settings to start from. */
import { UserError } from "../core/errors";
import {
  parseTrainConfig,
  SETTINGS,
  type SettingName,
  type TrainConfig,
  type TrainSettings,
} from "./config";
import { AUGMENTATIONS } from "./names";
import { written } from "./setting";

/** The paper's numbers (Schmidt-Mengin et al. 2021); docs/engine/architecture.md lists what is silent. */
const PAPER: TrainSettings = {
  preset: "paper",
  seed: 0,
  register: "auto",
  bias: "auto",
  spacing: 0.5,
  patch: 32,
  stride: 24,
  filters: [16, 32, 64],
  groups: 8,
  alignCorners: true,
  sampler: "ohem",
  pool: 128,
  batch: 32,
  positive: 0.3,
  mu: 0.999,
  muRamp: true,
  learningRate: 1e-3,
  diceEpsilon: 1e-5,
  normalisation: "volume",
  volumePrecision: "f32",
  volumeBudget: 8 * 2 ** 30,
  timeReversal: false,
  seconds: 3 * 3600,
  validateEvery: 0.02,
  reportEvery: 20,
};

/**
 * For a software adapter: the same method, sized to show learning within 6 minutes on 2 cores. What
 * differs beside size, and why, is in docs/measurements/results.md: a pool only half as large again as the batch,
 * a faster w̄, a larger ε and a head that starts at a low probability. With the paper's numbers the
 * selection swings between empty patches alone and positive ones alone.
 */
const SMALL: TrainSettings = {
  ...PAPER,
  preset: "small",
  spacing: 1,
  filters: [8, 16, 32],
  pool: 12,
  batch: 8,
  chunk: 16,
  positive: 0.5,
  mu: 0.9,
  learningRate: 3e-3,
  diceEpsilon: 100,
  headPrior: 0.01,
  seconds: 150,
  validateEvery: 0.334,
  reportEvery: 5,
};

/** What `best` adds to the paper, at any size; each part has an option of its own to turn it off. */
const BEST_PARTS: Partial<TrainSettings> = {
  sampler: "uniform",
  positive: 0.33,
  loss: "batch-dice-ce",
  diceEpsilon: 1,
  deepSupervision: true,
  difference: true,
  augment: [...AUGMENTATIONS],
  synthetic: 0.33,
  headPrior: 0.01,
  schedule: "cosine",
  windowWeights: "gaussian",
  mirror: "xyz",
};

/**
 * What wins challenges (nnU-Net: Isensee et al. 2021), for a GPU; docs/guides/training.md says why each part
 * is there, docs/measurements/results.md what it does on the phantom.
 */
const BEST: TrainSettings = {
  ...PAPER,
  ...BEST_PARTS,
  preset: "best",
  patch: 64,
  stride: 48,
  filters: [32, 64, 128],
  batch: 8,
  chunk: 8,
  seconds: 6 * 3600,
};

/**
 * The same for a software adapter, with the network, voxels and time of `small`: as many patches as
 * take its time, an average over fewer steps, and nothing made up, for so short a training never sees
 * a patch twice (docs/measurements/results.md).
 */
const BEST_SMALL: TrainSettings = {
  ...SMALL,
  ...BEST_PARTS,
  preset: "best-small",
  batch: 10,
  positive: 0.4,
  mu: 0.97,
  augment: [],
  synthetic: 0,
  mirror: "",
};

/** The adapters that a preset is sized for. */
export type SizedFor = "gpu" | "software";

interface Preset {
  readonly sizedFor: SizedFor;
  readonly settings: TrainSettings;
}

/** The software adapter's counterpart of a preset, where there is one, has its name and `-small`. */
export const PRESETS = {
  paper: { sizedFor: "gpu", settings: PAPER },
  best: { sizedFor: "gpu", settings: BEST },
  small: { sizedFor: "software", settings: SMALL },
  "best-small": { sizedFor: "software", settings: BEST_SMALL },
} satisfies Record<string, Preset>;
export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];

/** A training's preset where none is given. */
export const DEFAULT_PRESET = { gpu: "paper", software: "small" } as const satisfies Record<
  SizedFor,
  PresetName
>;

export const presetsFor = (adapter: SizedFor): PresetName[] =>
  PRESET_NAMES.filter((name) => PRESETS[name].sizedFor === adapter);

/** A line that names the counterpart of a preset which is not sized for the adapter, where it has one. */
export function presetHint(preset: PresetName, adapter: SizedFor): string | undefined {
  if (adapter === "gpu" || PRESETS[preset].sizedFor === "software") return undefined;
  const counterpart = presetsFor("software").find((name) => name === `${preset}-small`);
  if (counterpart === undefined) return undefined;
  return `preset ${preset} is sized for a GPU; ${counterpart} is the same for a software adapter`;
}

/** The name of a preset. @throws UserError naming all of them where there is none of that name */
export function presetOf(name: string): PresetName {
  const found = PRESET_NAMES.find((preset) => preset === name);
  if (found !== undefined) return found;
  const names = PRESET_NAMES.join(", ");
  throw new UserError(`--preset ${name}: there is no such preset; there are ${names}`);
}

/** A setting's value in each preset, as help and documentation write it. */
export function inPresets(setting: SettingName): string[] {
  return PRESET_NAMES.map((name) => written(SETTINGS[setting], makeTrainConfig(name, {})[setting]));
}

/** What every preset gives a setting; undefined where they differ. */
export function sharedDefault(setting: SettingName): string | undefined {
  const [first, ...others] = inPresets(setting);
  return others.every((value) => value === first) ? first : undefined;
}

/**
 * A preset with some settings replaced. Where the patch is another, the stride of the windows and the
 * patches of a dispatch follow it, unless they are given too.
 * @throws UserError naming the setting, its value and what it may be
 */
export function makeTrainConfig(preset: PresetName, changes: Partial<TrainSettings>): TrainConfig {
  const entries = Object.entries(changes).filter(([, value]) => value !== undefined);
  const given: Partial<TrainSettings> = Object.fromEntries(entries);
  const base: TrainSettings = PRESETS[preset].settings;
  const merged: Partial<TrainSettings> = { ...base, ...ofPatch(base, given.patch), ...given };
  if (given.iterations !== undefined) delete merged.seconds;
  return parseTrainConfig(merged);
}

/** The same share of overlap, and as many voxels in a dispatch. */
function ofPatch(base: TrainSettings, patch = base.patch): Partial<TrainSettings> {
  const larger = patch / base.patch;
  return {
    stride: Math.max(1, Math.round(base.stride * larger)),
    chunk: base.chunk && Math.max(1, Math.round(base.chunk / larger ** 3)),
  };
}
