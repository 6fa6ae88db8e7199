import wgsl from "../shaders/batch_stats.wgsl" with { type: "text" };
import { defineKernel } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import { elements, showShape } from "../src/core/tensor";

const kernel = defineKernel({
  name: "batch_stats",
  source: wgsl,
  bindings: {
    ...{ loss: "read", sums: "read", errors: "read", step: "read", scale: "read" },
    log: "read_write",
  },
  grid: () => [1, 1, 1],
});

/**
 * Writes row step[3] of log (K, 8): mean loss, fraction of the B patches with Σy > 0, mean of
 * errors, mean Σp, least loss, greatest loss, and the loss scale with the steps skipped so far
 * (kernels/loss_scale.ts), or 0, 0 without one. loss: (B); sums: (B, 3) of patchLoss; errors: (E).
 * A row past the end is dropped.
 */
export const batchStats = defineOp({
  name: "batchStats",
  mutates: ["log"],
  forward(g, inputs) {
    const { loss, sums, errors, log } = inputs;
    const B = elements(loss!.shape);
    if (showShape(sums!.shape) !== `${B}×3` || log!.shape[1] !== 8) {
      throw new Error(
        `batchStats: loss is ${showShape(loss!.shape)}, sums are ${showShape(sums!.shape)}, log ` +
          `is ${showShape(log!.shape)}; expected (B), (B, 3) and (K, 8)`,
      );
    }
    const scale = inputs.scale ?? inputs.step!; // bound, not read, without one
    const SCALED = Boolean(inputs.scale);
    g.emit(
      kernel,
      { ...inputs, scale },
      { SCALED, B, E: elements(errors!.shape), K: log!.shape[0]!, WG: 64 },
    );
    return {};
  },
});
