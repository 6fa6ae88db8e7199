/** What training makes small; docs/guides/losses.md has the formulas and their sources. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { optionOf, positive, share } from "./values";

export const LOSSES = [
  ...(["dice", "batch-dice", "ce", "dice-ce", "batch-dice-ce"] as const),
  ...(["focal", "tversky", "focal-tversky", "blob", "blob-dice-ce"] as const),
] as const;
export type LossName = (typeof LOSSES)[number];

const weight = z.number().min(0);

export const lossSettings = {
  loss: z.enum(LOSSES).default("dice"),
  /** ε of Dice and Tversky, voxels. */
  diceEpsilon: positive,
  /** Weights of the two parts, wherever Dice and cross-entropy are added up. */
  diceWeight: weight.default(1),
  ceWeight: weight.default(1),
  /** Weight of a lesion voxel in the cross-entropy; another voxel's is 1. */
  ceLesionWeight: weight.default(1),
  /** Weight α of a lesion voxel in the focal loss; another voxel's is 1 − α. */
  focalAlpha: share.default(0.25),
  focalGamma: weight.default(2),
  /** Weights of false positives and of false negatives. */
  tverskyAlpha: weight.default(0.3),
  tverskyBeta: weight.default(0.7),
  /** Focal Tversky is (1 − Tversky index)^(1/γ). */
  tverskyGamma: positive.default(4 / 3),
  /** Blob loss: weight α of the loss of the whole patch and β of the lesions' own losses. */
  blobAlpha: weight.default(2),
  blobBeta: weight.default(1),
};

const WITH_TVERSKY: readonly LossName[] = ["tversky", "focal-tversky"];
const WITH_DICE_AND_CE: readonly LossName[] = ["dice-ce", "batch-dice-ce", "blob-dice-ce"];
const WITH_BLOBS: readonly LossName[] = ["blob", "blob-dice-ce"];

/** The losses that a setting is for. */
const FOR: Readonly<Record<Exclude<keyof typeof lossSettings, "loss">, readonly LossName[]>> = {
  diceEpsilon: LOSSES.filter((name) => name !== "ce" && name !== "focal"),
  diceWeight: WITH_DICE_AND_CE,
  ceWeight: WITH_DICE_AND_CE,
  ceLesionWeight: ["ce", ...WITH_DICE_AND_CE],
  focalAlpha: ["focal"],
  focalGamma: ["focal"],
  tverskyAlpha: WITH_TVERSKY,
  tverskyBeta: WITH_TVERSKY,
  tverskyGamma: ["focal-tversky"],
  blobAlpha: WITH_BLOBS,
  blobBeta: WITH_BLOBS,
};

/** Pairs of weights of which one at least must be above 0, or nothing would be left of the loss. */
const PAIRS = [
  [WITH_DICE_AND_CE, "diceWeight", "ceWeight"],
  [WITH_TVERSKY, "tverskyAlpha", "tverskyBeta"],
  [WITH_BLOBS, "blobAlpha", "blobBeta"],
] as const;

type Weights = Readonly<Record<(typeof PAIRS)[number][1 | 2], number>>;

/** @throws UserError when all weights of a loss are 0 */
export function checkWeights(config: Weights & { readonly loss: LossName }): void {
  for (const [losses, one, other] of PAIRS) {
    if (!losses.includes(config.loss) || config[one] + config[other] > 0) continue;
    throw new UserError(
      `--${optionOf(one)} 0 and --${optionOf(other)} 0 leave nothing of --loss ${config.loss}: one ` +
        "of them must be above 0",
    );
  }
}

/** @throws UserError when one of the settings that were given does nothing with this loss */
export function checkLoss(loss: LossName, given: readonly string[]): void {
  for (const [setting, losses] of Object.entries(FOR)) {
    if (!given.includes(setting) || losses.includes(loss)) continue;
    throw new UserError(
      `--${optionOf(setting)} does nothing with --loss ${loss}: it is for ${losses.join(", ")}; leave it out`,
    );
  }
}
