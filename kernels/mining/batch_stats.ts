import wgsl from "../../shaders/mining/batch_stats.wgsl" with { type: "text" };
import { defineKernel } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "batch_stats",
  source: wgsl,
  bindings: {
    ...{ loss: "read", sums: "read", errors: "read", step: "read", scale: "read" },
    ...{ gradients: "read", log: "read_write" },
  },
  grid: () => [1, 1, 1],
});

/** Columns of the log that are written: without gradients, and with. */
const [COLUMNS, WITH_GRADIENTS] = [8, 11];

/**
 * Writes row step[3] of log (K, W): mean loss, fraction of the B patches with Σy > 0, mean of errors,
 * mean Σp, least loss, greatest loss, and the loss scale with the steps skipped so far
 * (kernels/loss/loss_scale.ts), or 0, 0 without one; with `gradients` also the norms of the gradient over
 * the lesion voxels, the other voxels, and all voxels of the patches without a lesion.
 * loss: (B); sums: (B, 3) of patchLoss; errors: (E); gradients: (B, 2) of classGradients. W is at
 * least 8, or 11 with gradients. A row past the end is dropped.
 */
export const batchStats = defineOp({
  name: "batchStats",
  mutates: ["log"],
  forward(g, inputs) {
    const { loss, sums, errors, log, gradients } = inputs;
    const B = elements(loss!.shape);
    const [K = 0, WIDTH = 0] = log!.shape;
    if (showShape(sums!.shape) !== `${B}×3` || WIDTH < (gradients ? WITH_GRADIENTS : COLUMNS)) {
      throw new Error(
        `batchStats: loss is ${showShape(loss!.shape)}, sums are ${showShape(sums!.shape)}, log ` +
          `is ${showShape(log!.shape)}; expected (B), (B, 3) and (K, ${COLUMNS}), or (K, ` +
          `${WITH_GRADIENTS}) with gradients`,
      );
    }
    const [SCALED, GRADIENTS] = [Boolean(inputs.scale), Boolean(gradients)];
    // Bound, not read, without them.
    const rest = { scale: inputs.scale ?? inputs.step!, gradients: gradients ?? loss! };
    const consts = { SCALED, GRADIENTS, B, E: elements(errors!.shape), K, WIDTH, WG: 64 };
    g.emit(kernel, { ...inputs, ...rest }, consts);
    return {};
  },
});
