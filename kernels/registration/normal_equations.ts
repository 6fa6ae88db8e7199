/** The weighted normal equations of one step of registration. */
import wgsl from "../../shaders/registration/normal_equations.wgsl" with { type: "text" };
import { ceilDiv, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { MOTION_COLUMNS, type MotionAttrs, type MotionKind, motionSizes } from "./motion";

const kernel = defineKernel({
  name: "normal_equations",
  source: wgsl,
  bindings: { samples: "read", motion: "read", sums: "read_write" },
  args: ["D", "H", "W", "PIECES"],
  grid: (c) => grid1d(num(c, "PIECES") * num(c, "BLOCKS"), 1),
  flops: (c) => (num(c, "COLS") ** 2 + 8 * num(c, "COLS")) * product(c, "D", "H", "W"),
});

/** Points that one workgroup sums. */
const PIECE = 1024;

/** Sums of a row: the upper triangle, the right side, and Σ w, Σ w·e², number of points. */
export function sumsOf(kind: MotionKind): number {
  const columns = MOTION_COLUMNS[kind];
  return (columns * (columns + 1)) / 2 + columns + 3;
}

/** Blocks of 4 × 4 products in the upper triangle of (J, r). */
function blocksOf(kind: MotionKind): number {
  const rows = ceilDiv(MOTION_COLUMNS[kind] + 1, 4);
  return (rows * (rows + 1)) / 2;
}

/** sums (PIECES, {@link sumsOf}) of the samples (6, D, H, W); rows are to be added up in order. */
export const normalEquations = defineOp<MotionAttrs>({
  name: "normalEquations",
  forward(g, { samples, motion }, { kind }) {
    const sizes = motionSizes("normalEquations", samples!, motion!, kind);
    const SUMS = sumsOf(kind);
    const PIECES = ceilDiv(product(sizes, "D", "H", "W"), PIECE);
    const sums = g.tensor("sums", [PIECES, SUMS]);
    const consts = { COLS: MOTION_COLUMNS[kind], SUMS, PIECE, BLOCKS: blocksOf(kind), WG: 64 };
    g.emit(kernel, { samples: samples!, motion: motion!, sums }, consts, { ...sizes, PIECES });
    return { sums };
  },
});
