/**
 * The loss that a run trains with, chosen by its settings. It works on logits of any size, so that
 * deep supervision can apply it to every scale, each with a seed of its own weight.
 */
import { fill } from "../../kernels/fill";
import { lossSeed } from "../../kernels/loss_scale";
import { dice, patchLoss } from "../../kernels/patch_loss";
import type { Graph } from "../core/graph";
import type { Tensor } from "../core/tensor";
import type { TrainConfig } from "./config";

export type LossSettings = Pick<TrainConfig, "loss" | "diceEpsilon">;

export interface LossInputs {
  /** (N, 1, D, H, W). */
  readonly logits: Tensor;
  /** 0 or 1, of the shape of the logits. */
  readonly target: Tensor;
}

export interface PatchLoss {
  /** Loss of each patch: (N). What is trained on is the mean over the batch. */
  readonly loss: Tensor;
  /** Σpy, Σp and Σy of each patch: (N, 3). */
  readonly sums: Tensor;
}

/** Loss of every patch; differentiable with respect to the logits. */
export function applyLoss(g: Graph, inputs: LossInputs, settings: LossSettings): PatchLoss {
  const { loss, sums } = g.apply(patchLoss, { ...inputs }, dice(settings.diceEpsilon));
  return { loss: loss!, sums: sums! };
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
