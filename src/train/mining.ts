/**
 * Mining: the error that ranks a patch, and the selection of patches from the pool. Both are apart
 * from the loss, and both happen on the device inside the recorded iteration.
 */
import { patchLoss } from "../../kernels/loss/patch_loss";
import { topCrossEntropy } from "../../kernels/loss/top_cross_entropy";
import { KEY_AT, samplingKeys } from "../../kernels/mining/sampling_keys";
import { topB } from "../../kernels/mining/top_b";
import type { Graph } from "../core/graph";
import { Philox } from "../core/random";
import type { Tensor } from "../core/tensor";
import type { TrainConfig } from "../settings/config";
import { applyLoss, type LossInputs } from "./loss";

export interface PatchErrors {
  /** What patches are ranked by: (N). */
  readonly errors: Tensor;
  /** Σpy, Σp and Σy of each patch: (N, 3). */
  readonly sums: Tensor;
}

/** Errors of patches, by --mining-error; a loss over the batch ranks as that loss of each patch. */
export function patchErrors(
  g: Graph,
  { logits, target }: LossInputs,
  config: TrainConfig,
): PatchErrors {
  const inputs = { logits, target };
  const { miningError } = config;
  if (miningError === "loss") {
    const { loss, sums } = applyLoss(g, inputs, config);
    return { errors: loss, sums };
  }
  const { loss, sums } = g.apply(patchLoss, inputs, { errors: 1 });
  if (miningError === "fp-fn") return { errors: loss!, sums: sums! };
  const share = config.topkPercent / 100;
  return { errors: g.apply(topCrossEntropy, inputs, { share }).errors!, sums: sums! };
}

/** Places that --positive-quota keeps for positive patches. */
export function positivePlaces({ positiveQuota, batch }: TrainConfig): number | undefined {
  return positiveQuota === undefined ? undefined : Math.round(positiveQuota * batch);
}

/**
 * Indices (B) u32 of the patches to train on, in order of decreasing error, or of decreasing key where
 * they are drawn.
 * @param step the scalars of the iteration, with the generator's key where patches are drawn
 */
export function selectPatches(
  g: Graph,
  { errors, sums }: PatchErrors,
  step: Tensor,
  config: TrainConfig,
): Tensor {
  const drawn = config.selection === "proportional";
  const keys = drawn ? g.apply(samplingKeys, { errors, step }, {}).keys! : errors;
  const attrs = { count: config.batch, positives: positivePlaces(config) };
  return g.apply(topB, { errors: keys, sums }, attrs).indices!;
}

/** The stream of the seed that keys of drawn selections come from. */
const STREAM = 3;

/** Puts the generator's key of iteration `t` into the `step` values. */
export function putSelectionKey(step: Float32Array, seed: number, t: number): void {
  const random = new Philox(seed, STREAM, t);
  for (const at of [KEY_AT, KEY_AT + 2]) {
    const word = random.u32();
    step[at] = word & 0xffff;
    step[at + 1] = word >>> 16;
  }
}
