/**
 * Loss scaling (Micikevicius et al. 2018): gradients that are stored as f16 are kept away from zero
 * by a factor, a power of two, which Adam takes out again. Where it was too large, gradients are
 * infinite or no numbers: that step is skipped, and the factor halved. All on the device.
 */

import scaleWgsl from "../../shaders/loss/loss_scale.wgsl" with { type: "text" };
import seedWgsl from "../../shaders/loss/loss_seed.wgsl" with { type: "text" };
import overflowWgsl from "../../shaders/loss/overflow_parts.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements } from "../../src/core/tensor";

/** Elements of a `scale` tensor: the factor, its inverse or 0, skipped steps (loss_scale.wgsl). */
export const SCALE_SIZE = 4;
/** Where PyTorch's GradScaler starts too. */
export const FIRST_SCALE = 2 ** 16;

const seed = defineKernel({
  name: "loss_seed",
  source: seedWgsl,
  bindings: { scale: "read", y: "read_write" },
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
});

/** y: (count), `value` times the loss scale: where the backward pass starts. */
export const lossSeed = defineOp<{ readonly count: number; readonly value: number }>({
  name: "lossSeed",
  forward(g, { scale }, { count, value }) {
    const y = g.tensor("seed", [count]);
    g.emit(seed, { scale: scale!, y }, { COUNT: count, VALUE: value, WG: 64 });
    return { y };
  },
});

const WG = 64;
/** Elements of a thread: 65,535 workgroups do 67 million. */
const ITEMS = 16;

const overflow = defineKernel({
  name: "overflow_parts",
  source: overflowWgsl,
  bindings: { g: "read", parts: "read_write" },
  grid: (c) => grid1d(num(c, "COUNT"), WG * ITEMS),
});

const update = defineKernel({
  name: "loss_scale",
  source: scaleWgsl,
  bindings: { parts: "read", scale: "read_write" },
  grid: () => [1, 1, 1],
});

/** Looks for overflow in all gradients g: (COUNT) and changes `scale` accordingly. */
export const lossScale = defineOp({
  name: "lossScale",
  mutates: ["scale"],
  forward(graph, { g, scale }) {
    const COUNT = elements(g!.shape);
    const P = Math.ceil(COUNT / (WG * ITEMS));
    const parts = graph.tensor("overflow", [P], "u32");
    graph.emit(overflow, { g: g!, parts }, { COUNT, ITEMS, WG });
    graph.emit(update, { parts, scale: scale! }, { P });
    return {};
  },
});
