/** Every setting of a training run, its default, and the presets. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { SIZE_MULTIPLE } from "../nn/unet3d";

const positive = z.number().positive();
const whole = z.number().int().positive();
const share = z.number().min(0).max(1);

export const trainConfigSchema = z.object({
  preset: z.string(),
  seed: z.number().int().min(0),
  /** Edge of the voxels that the network sees, mm. */
  spacing: positive,
  /** Edge of a patch, voxels. */
  patch: whole.multipleOf(SIZE_MULTIPLE),
  /** Stride of the inference windows, voxels. */
  stride: whole,
  filters: z.tuple([whole, whole, whole]),
  groups: whole,
  alignCorners: z.boolean(),
  /** "ohem": momentum hard-example mining (Algorithm 1); "uniform": the paper's other arm. */
  sampler: z.enum(["ohem", "uniform"]),
  /** B̄: patches sampled and ranked per iteration. */
  pool: whole,
  /** B: patches trained on per iteration. */
  batch: whole,
  /** Most patches per dispatch; less where a binding holds less. */
  chunk: whole,
  /** Blocks of the network are computed again in the backward pass, to save memory. */
  recompute: z.boolean().default(false),
  /** Share of positive patches among the sampled. */
  positive: share,
  /** Momentum of w̄. */
  mu: share,
  muRamp: z.boolean(),
  learningRate: positive,
  /** ε of the Dice loss. */
  diceEpsilon: positive,
  /** Start the head at this lesion probability; absent: PyTorch's initialisation. */
  headPrior: z.number().gt(0).lt(1).optional(),
  normalisation: z.enum(["volume", "nonzero", "mask"]),
  volumePrecision: z.enum(["f32", "f16"]),
  /** How activations and their gradients are stored; all arithmetic is f32. */
  precision: z.enum(["f32", "f16"]).default("f32"),
  /** Device memory for training volumes, bytes. */
  volumeBudget: positive,
  timeReversal: z.boolean(),
  /** The network sees visit 2 − visit 1 as a third channel. */
  difference: z.boolean().default(false),
  /** Training time in seconds, or iterations: one of the two. */
  seconds: positive.optional(),
  iterations: whole.optional(),
  /** Share of the budget between two validations. */
  validateEvery: share,
  /** Iterations between two reports. */
  reportEvery: whole,
});

export type TrainConfig = z.infer<typeof trainConfigSchema>;

/** The paper's numbers (Schmidt-Mengin et al. 2021); docs/architecture.md lists what is silent. */
const PAPER: TrainConfig = {
  preset: "paper",
  seed: 0,
  spacing: 0.5,
  patch: 32,
  stride: 24,
  filters: [16, 32, 64],
  groups: 8,
  alignCorners: true,
  sampler: "ohem",
  pool: 128,
  batch: 32,
  chunk: 12,
  recompute: false,
  positive: 0.3,
  mu: 0.999,
  muRamp: true,
  learningRate: 1e-3,
  diceEpsilon: 1e-5,
  normalisation: "volume",
  volumePrecision: "f32",
  precision: "f32",
  volumeBudget: 8 * 2 ** 30,
  timeReversal: false,
  difference: false,
  seconds: 3 * 3600,
  validateEvery: 0.02,
  reportEvery: 20,
};

/**
 * For a software adapter: the same method, sized to show learning within 6 minutes on 2 cores. What
 * differs beside size, and why, is in docs/results.md: a pool only half as large again as the batch,
 * a faster w̄, a larger ε and a head that starts at a low probability. With the paper's numbers the
 * selection swings between empty patches alone and positive ones alone.
 */
const SMALL: TrainConfig = {
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

export const PRESETS = { paper: PAPER, small: SMALL } satisfies Record<string, TrainConfig>;
export type PresetName = keyof typeof PRESETS;

/**
 * A preset with some settings replaced.
 * @throws UserError naming the setting, its value and what it may be
 */
export function makeTrainConfig(preset: PresetName, changes: Partial<TrainConfig>): TrainConfig {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  const merged: Record<string, unknown> = { ...PRESETS[preset], ...Object.fromEntries(given) };
  if (changes.iterations !== undefined) delete merged.seconds;
  const parsed = trainConfigSchema.safeParse(merged);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const name = issue.path.join(".");
    throw new UserError(`option ${name}: got ${merged[name]}: ${issue.message}`);
  }
  const config = parsed.data;
  if (config.sampler === "ohem" && config.batch > config.pool) {
    throw new UserError(
      `--batch ${config.batch} is larger than --pool ${config.pool}: B patches are selected from ` +
        "the pool; make the pool at least as large",
    );
  }
  if (config.filters.some((f) => f % config.groups !== 0)) {
    throw new UserError(
      `--filters ${config.filters}: each must be a multiple of the ${config.groups} norm groups`,
    );
  }
  if (config.stride > config.patch) {
    throw new UserError(`--stride ${config.stride} passes the patch of ${config.patch}: gaps`);
  }
  return config;
}
