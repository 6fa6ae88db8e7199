/**
 * The loss that a run trains with, chosen by its settings. It works on logits of any size, so that
 * deep supervision can apply it to every scale, each with a seed of its own weight.
 */
import { add } from "../../kernels/elementwise/add";
import { fill } from "../../kernels/elementwise/fill";
import { blobLoss } from "../../kernels/loss/blob_loss";
import { components } from "../../kernels/loss/components";
import { lossSeed } from "../../kernels/loss/loss_scale";
import {
  dice,
  type PatchLossAttrs,
  patchLoss,
  type RegionTerm,
} from "../../kernels/loss/patch_loss";
import { columnSums } from "../../kernels/rows/column_sums";
import type { Graph } from "../core/graph";
import type { Tensor } from "../core/tensor";
import type { TrainConfig } from "../settings/config";
import type { lossSettings } from "../settings/loss";

export type LossSettings = Pick<TrainConfig, keyof typeof lossSettings>;

export interface LossInputs {
  /** (N, 1, D, H, W). */
  readonly logits: Tensor;
  /** 0 to 1, of the shape of the logits. */
  readonly target: Tensor;
  /** What a loss over the batch is of, see totalsOf; without it that loss is of each patch. */
  readonly totals?: BatchTotals;
}

/** Sums over all patches of a batch. */
export interface BatchTotals {
  readonly totals: Tensor;
  readonly batch: number;
}

export interface PatchLoss {
  /** Loss of each patch: (N). What is trained on is the mean over the batch. */
  readonly loss: Tensor;
  /** Σpy, Σp and Σy of each patch: (N, 3). */
  readonly sums: Tensor;
  /** What totalsOf adds up: (N, TERMS). */
  readonly terms: Tensor;
}

/** Whether a patch's loss depends on the others of its batch. */
export function isOverBatch({ loss }: LossSettings): boolean {
  return loss.startsWith("batch-");
}

function hasBlobs({ loss }: LossSettings): boolean {
  return loss === "blob" || loss === "blob-dice-ce";
}

/** All of the loss but the lesions' own losses. */
function attrsOf(settings: LossSettings): PatchLossAttrs {
  const { loss, diceEpsilon, focalAlpha, focalGamma, blobAlpha: alpha } = settings;
  const { region } = dice(diceEpsilon);
  const voxels = { weight: 1, positive: settings.ceLesionWeight, negative: 1, gamma: 0 };
  switch (loss) {
    case "dice":
    case "batch-dice":
      return { region };
    case "ce":
      return { voxels };
    case "dice-ce":
    case "batch-dice-ce":
      return {
        region: { ...region, weight: settings.diceWeight },
        voxels: { ...voxels, weight: settings.ceWeight },
      };
    case "blob":
      return { region: { ...region, weight: alpha } };
    case "blob-dice-ce":
      return {
        region: { ...region, weight: alpha * settings.diceWeight },
        voxels: { ...voxels, weight: alpha * settings.ceWeight },
      };
    case "focal":
      return {
        voxels: { weight: 1, positive: focalAlpha, negative: 1 - focalAlpha, gamma: focalGamma },
      };
    case "tversky":
      return { region: tversky(settings) };
    case "focal-tversky":
      return { region: { ...tversky(settings), power: 1 / settings.tverskyGamma } };
    default:
      return loss satisfies never;
  }
}

function tversky({ diceEpsilon, tverskyAlpha, tverskyBeta }: LossSettings): RegionTerm {
  const { region } = dice(diceEpsilon);
  return { ...region, falsePositive: 2 * tverskyAlpha, falseNegative: 2 * tverskyBeta };
}

/** Loss of every patch; differentiable with respect to the logits. */
export function applyLoss(g: Graph, inputs: LossInputs, settings: LossSettings): PatchLoss {
  const { logits, target, totals: whole } = inputs;
  const given = { logits, target, ...(whole && { totals: whole.totals }) };
  const attrs = { ...attrsOf(settings), batch: whole?.batch };
  const { loss, sums, terms } = g.apply(patchLoss, given, attrs);
  const full = hasBlobs(settings) ? withBlobs(g, loss!, inputs, settings) : loss!;
  return { loss: full, sums: sums!, terms: terms! };
}

/** `loss` and the lesions' own losses. */
function withBlobs(
  g: Graph,
  loss: Tensor,
  { logits, target }: LossInputs,
  { blobBeta: weight, diceEpsilon: epsilon }: LossSettings,
): Tensor {
  const { roots } = g.apply(components, { target }, {});
  const { loss: blobs } = g.apply(blobLoss, { logits, roots: roots! }, { weight, epsilon });
  return g.apply(add, { a: loss, b: blobs! }, {}).y!;
}

/** The totals that a loss over the batch needs. terms: (batch, TERMS), of all patches' applyLoss. */
export function totalsOf(g: Graph, terms: Tensor): BatchTotals {
  return { totals: g.apply(columnSums, { x: terms }, {}).y!, batch: terms.shape[0]! };
}

/**
 * Where the backward pass of a loss starts: `value` for each of `count` patches (a scale's weight
 * over the batch size), times the loss scale where there is one.
 */
export function seedOf(
  g: Graph,
  scale: Tensor | undefined,
  { count, value }: { readonly count: number; readonly value: number },
): Tensor {
  if (scale) return g.apply(lossSeed, { scale }, { count, value }).y!;
  return g.apply(fill, {}, { shape: [count], value }).y!;
}
