/** Histogram of the residuals, from which the robust scale of registration follows. */
import wgsl from "../../shaders/registration/residual_histogram.wgsl" with { type: "text" };
import type { Capabilities } from "../../src/core/kernel";
import { ceilDiv, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { MOTION_COLUMNS, type MotionAttrs, motionSizes } from "./motion";

const kernel = defineKernel({
  name: "residual_histogram",
  source: wgsl,
  bindings: { samples: "read", motion: "read", counts: "read_write" },
  args: ["D", "H", "W", "PIECES"],
  grid: (c) => grid1d(num(c, "PIECES"), 1),
  flops: (c) => 5 * num(c, "COLS") * product(c, "D", "H", "W"),
});

/** Bins over [−limit, limit]. */
export const HISTOGRAM = { bins: 2048, limit: 4, piece: 8192 } as const;

/** Bins take so much memory that waves must share them, where a SIMD of 64 lanes needs four to be busy. */
const threads = ({ architecture = "" }: Capabilities) =>
  architecture.startsWith("amd gcn") ? 256 : 64;

/** counts (PIECES, 2048) u32: residuals r − Jδ of the samples (6, D, H, W) that count, by bin. */
export const residualHistogram = defineOp<MotionAttrs>({
  name: "residualHistogram",
  forward(g, { samples, motion }, { kind }) {
    const sizes = motionSizes("residualHistogram", samples!, motion!, kind);
    const { bins: BINS, limit: LIMIT, piece: PIECE } = HISTOGRAM;
    const PIECES = ceilDiv(product(sizes, "D", "H", "W"), PIECE);
    const counts = g.tensor("counts", [PIECES, BINS], "u32");
    const consts = { COLS: MOTION_COLUMNS[kind], BINS, LIMIT, PIECE, WG: threads(g.caps) };
    g.emit(kernel, { samples: samples!, motion: motion!, counts }, consts, { ...sizes, PIECES });
    return { counts };
  },
});
