/** Settings of the loss; docs/guides/losses.md has the formulas and their sources. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { NAME, NUMBER } from "./notation";
import { setting, theme } from "./setting";
import { positive, share, weight } from "./values";

export const LOSSES = [
  ...(["dice", "batch-dice", "ce", "dice-ce", "batch-dice-ce"] as const),
  ...(["focal", "tversky", "focal-tversky", "blob", "blob-dice-ce"] as const),
] as const;
export type LossName = (typeof LOSSES)[number];

const WITH_TVERSKY: readonly LossName[] = ["tversky", "focal-tversky"];
const WITH_DICE_AND_CE: readonly LossName[] = ["dice-ce", "batch-dice-ce", "blob-dice-ce"];
const WITH_BLOBS: readonly LossName[] = ["blob", "blob-dice-ce"];
const WITH_EPSILON = LOSSES.filter((name) => name !== "ce" && name !== "focal");

/** A number of some of the losses. */
const of = <S extends z.ZodType<number>>(
  losses: readonly LossName[],
  schema: S,
  argument: string,
  help: string,
) => setting(NUMBER, schema, argument, help, { loss: losses });

/** Squares of it are float32 numbers, too. */
const epsilon = positive.min(1e-12);

export const lossSettings = theme("Loss", {
  loss: setting(
    NAME,
    z.enum(LOSSES).default("dice"),
    "<name>",
    `loss to minimise: ${LOSSES.join(", ")}`,
  ),
  diceEpsilon: of(WITH_EPSILON, epsilon, "<e>", "ε of Dice and Tversky, voxels"),
  diceWeight: of(WITH_DICE_AND_CE, weight.default(1), "<w>", "weight of Dice beside cross-entropy"),
  ceWeight: of(WITH_DICE_AND_CE, weight.default(1), "<w>", "weight of cross-entropy beside Dice"),
  /** Another voxel's weight is 1. */
  ceLesionWeight: of(
    ["ce", ...WITH_DICE_AND_CE],
    weight.default(1),
    "<w>",
    "weight of lesion voxels in cross-entropy",
  ),
  /** Another voxel's weight is 1 − α. */
  focalAlpha: of(["focal"], share.default(0.25), "<a>", "focal: weight α of lesion voxels"),
  focalGamma: of(["focal"], weight.default(2), "<g>", "focal: power γ"),
  tverskyAlpha: of(
    WITH_TVERSKY,
    weight.default(0.3),
    "<a>",
    "Tversky: weight α of false positives",
  ),
  tverskyBeta: of(WITH_TVERSKY, weight.default(0.7), "<b>", "Tversky: weight β of false negatives"),
  /** Focal Tversky is (1 − Tversky index)^(1/γ). */
  tverskyGamma: of(
    ["focal-tversky"],
    positive.min(0.01).default(4 / 3),
    "<g>",
    "focal Tversky: γ of the power 1/γ",
  ),
  blobAlpha: of(WITH_BLOBS, weight.default(2), "<a>", "blob: weight α of the whole patch's loss"),
  blobBeta: of(WITH_BLOBS, weight.default(1), "<b>", "blob: weight β of the lesions' own losses"),
});

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
    const [a, b] = [one, other].map((name) => lossSettings[name].option);
    throw new UserError(
      `--${a} 0 and --${b} 0 leave nothing of --loss ${config.loss}: one of them must be above 0`,
    );
  }
}
