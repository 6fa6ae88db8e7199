import wgsl from "../../shaders/loss/blob_loss.wgsl" with { type: "text" };
import dxWgsl from "../../shaders/loss/blob_loss_dx.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const valueKernel = defineKernel({
  name: "blob_loss",
  source: wgsl,
  bindings: {
    ...{ logits: "read", roots: "read" },
    ...{ parts: "read_write", loss: "read_write", slopes: "read_write" },
  },
  args: ["N", "S"],
  grid: (c) => grid1d(num(c, "N"), 1),
  flops: (c) => 8 * product(c, "N", "S"),
  bytes: (c) => 28 * product(c, "N", "S"),
});

const dxKernel = defineKernel({
  name: "blob_loss_dx",
  source: dxWgsl,
  bindings: { logits: "read", slopes: "read", dloss: "read", dx: "read_write" },
  args: ["COUNT", "S"],
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
  flops: (c) => 6 * num(c, "COUNT"),
});

/** Voxels of a patch up to which no sum of a lesion's bytes can overflow. */
const MOST_VOXELS = 2 ** 23;

export interface BlobAttrs {
  readonly weight: number;
  /** ε of each lesion's Dice loss, voxels. */
  readonly epsilon: number;
}

/**
 * The lesions' part of the blob loss (Kofler et al. 2022), `weight` times the mean over the lesions of
 * a patch of the Dice loss of each, where the voxels of the other lesions do not count; 0 without any.
 * logits: (N, 1, D, H, W); roots: of `components`. loss: (N); slopes, by each voxel's probability, are
 * for the backward rule. Only `loss` has a gradient, only `logits` receives one.
 */
export const blobLoss = defineOp<BlobAttrs>({
  name: "blobLoss",
  forward(g, { logits, roots }, { weight, epsilon }) {
    const [N = 1, ...rest] = logits!.shape;
    const S = elements(rest);
    if (showShape(logits!.shape) !== showShape(roots!.shape) || S > MOST_VOXELS) {
      throw new Error(
        `blobLoss: logits are ${showShape(logits!.shape)}, roots ${showShape(roots!.shape)}; ` +
          `expected equal, with at most ${MOST_VOXELS} voxels a patch`,
      );
    }
    const parts = g.tensor("blob_parts", [N, S, 4], "u32");
    const loss = g.tensor("blob_loss", [N]);
    const slopes = g.tensor("blob_slopes", logits!.shape);
    const tensors = { logits: logits!, roots: roots!, parts, loss, slopes };
    g.emit(valueKernel, tensors, { EPSILON: epsilon, WEIGHT: weight, WG: 256 }, { N, S });
    return { loss, slopes };
  },
  backward(g, { inputs, outputs }, { loss: dloss }) {
    if (!dloss) throw new Error("blobLoss: only the output loss is differentiable");
    const logits = inputs.logits!;
    const COUNT = elements(logits.shape);
    const { tensor: dx, accumulate } = g.into(logits);
    const tensors = { logits, slopes: outputs.slopes!, dloss, dx };
    const S = COUNT / logits.shape[0]!;
    g.emit(dxKernel, tensors, { ACCUMULATE: accumulate, WG: 64 }, { COUNT, S });
    return { logits: dx };
  },
});
