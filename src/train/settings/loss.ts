/** What training makes small; docs/losses.md has the formulas and their sources. */
import { z } from "zod";
import { positive, share } from "./values";

export const LOSSES = [
  ...(["dice", "batch-dice", "ce", "dice-ce", "batch-dice-ce"] as const),
  ...(["focal", "tversky", "focal-tversky"] as const),
] as const;
export type LossName = (typeof LOSSES)[number];

const weight = z.number().min(0);

export const lossSettings = {
  loss: z.enum(LOSSES).default("dice"),
  /** ε of Dice and Tversky, voxels. */
  diceEpsilon: positive,
  /** Weights of the parts of dice-ce and batch-dice-ce. */
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
};
