/**
 * Deep supervision (Lee et al. 2015; in nnU-Net, Isensee et al. 2021): in training the coarser
 * levels of the decoder get heads of their own, 1×1×1 convolutions as the head of the network, and a
 * loss against labels of their size. The network without them is unchanged.
 */
import { conv3d } from "../../kernels/conv3d/conv3d";
import { maxPool3d } from "../../kernels/resize/max_pool3d";
import type { Graph } from "../core/graph";
import type { Tensor } from "../core/tensor";
import { type ParameterSpec, pointConvolution } from "./parameters";
import type { ParameterTensors, UNetConfig, UNetLevels } from "./unet3d";

/** Levels with a head of their own, finest first: half and quarter resolution. */
const LEVELS = ["dec2", "mid"] as const;

/** Share of each level in the loss, finest first: halved from level to level, 1 in all. */
export const LEVEL_WEIGHTS: readonly number[] = [4 / 7, 2 / 7, 1 / 7];

/** Logits that are trained: the network's own, and with deep supervision those of coarser levels. */
export const headsOf = ({ deepSupervision }: { readonly deepSupervision: boolean }) =>
  deepSupervision ? LEVEL_WEIGHTS.length : 1;

/** The heads' parameters: never in a weights file, which holds the network alone. */
export function supervisionParameters({ filters }: Pick<UNetConfig, "filters">): ParameterSpec[] {
  const heads = LEVELS.flatMap((level, i) => pointConvolution(`${level}.head`, filters[i + 1]!));
  return heads.map((spec) => ({ ...spec, trainingOnly: true }));
}

/** Logits (N, 1, D/2ᵏ, H/2ᵏ, W/2ᵏ) of the levels with heads of their own, finest first. */
export function coarseLogits(g: Graph, params: ParameterTensors, levels: UNetLevels): Tensor[] {
  return LEVELS.map((level) => {
    const w = params.get(`${level}.head.weight`)!;
    const b = params.get(`${level}.head.bias`)!;
    return g.apply(conv3d, { x: levels[level], w, b }, { dtype: "f32" }).y!;
  });
}

/**
 * Labels (N, 1, D, H, W) at the size of those logits. A voxel is lesion if one of the eight below it
 * is: the nearest of the eight, as nnU-Net takes, forgets lesions of a few voxels, and those are the
 * ones that are missed. Coarse heads call lesions too large for it, which costs nothing: they are
 * thrown away.
 */
export function coarseLabels(g: Graph, labels: Tensor): Tensor[] {
  const pooled: Tensor[] = [];
  g.noGrad(() => {
    for (const _ of LEVELS) {
      pooled.push(g.apply(maxPool3d, { x: pooled.at(-1) ?? labels }, {}).y!);
    }
  });
  return pooled;
}
