/** Kernels of upsample3d and of its gradient, in the variants that they come in. */
import wgsl from "../../shaders/resize/upsample3d.wgsl" with { type: "text" };
import dxWgsl from "../../shaders/resize/upsample3d_dx.wgsl" with { type: "text" };
import rowsWgsl from "../../shaders/resize/upsample3d_rows.wgsl" with { type: "text" };
import rowsDxWgsl from "../../shaders/resize/upsample3d_rows_dx.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Consts } from "../../src/core/kernel";
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import type { Tensor } from "../../src/core/tensor";
import { channelLayout } from "../../src/core/tensor";
import type { Variant } from "../../src/core/variant";
import { sourceOf } from "../norm/normalised";
import { vectorWidth } from "../vector_width";

const cells = (c: Consts) => grid1d(product(c, "N", "C", "D", "H", "W"), num(c, "WG"));

/** One thread per RUN planes of four cells along x. */
const runs = (c: Consts) => {
  const chunks = Math.ceil(num(c, "D") / num(c, "RUN"));
  return grid1d(product(c, "N", "C", "H", "W4") * chunks, num(c, "WG"));
};

/** 3.5 operations for each of the eight results of a cell: neighbours share interpolations. */
const cellFlops = (c: Consts) => 28 * product(c, "N", "C", "D", "H", "W");
const rowFlops = (c: Consts) => 112 * product(c, "N", "C", "D", "H", "W4");

const cell = defineKernel({
  name: "upsample3d",
  source: wgsl,
  bindings: { x: "read", y: "read_write" },
  views: ["y"],
  storage: { T: ["x", "y"] },
  grid: cells,
  flops: cellFlops,
});
const rows = defineKernel({
  name: "upsample3d_rows",
  source: rowsWgsl,
  bindings: { x: "read", stats: "read", weight: "read", bias: "read", y: "read_write" },
  args: ["N", "C", "CG", "D", "H", "W4", "Y_CT", "Y_C0", "RUN"],
  views: ["y"],
  storage: { V: ["x", "y"] },
  grid: runs,
  flops: rowFlops,
});

const ioDx = { bindings: { dy: "read", dx: "read_write" }, views: ["dy"] } as const;
const cellDx = defineKernel({
  name: "upsample3d_dx",
  source: dxWgsl,
  ...ioDx,
  storage: { T: ["dy", "dx"] },
  grid: cells,
  flops: cellFlops,
});
const rowsDx = defineKernel({
  name: "upsample3d_rows_dx",
  source: rowsDxWgsl,
  ...ioDx,
  storage: { V: ["dy", "dx"] },
  args: ["N", "C", "D", "H", "W4", "DY_CT", "DY_C0", "RUN"],
  grid: runs,
  flops: rowFlops,
});

/** Sizes of the smaller tensor; ALIGN: 1 for align_corners. */
export type UpsampleSizes = Readonly<Record<"N" | "C" | "D" | "H" | "W" | "ALIGN", number>>;

/** F16: 1 where activations are stored so; forward, NORM: 1 where x is the unwritten output of a norm. */
export type GradientProblem = UpsampleSizes & { readonly F16: number };
export type UpsampleProblem = GradientProblem & { readonly NORM: number };

export interface UpsampleVariant extends Variant<UpsampleSizes> {
  /** Takes the unwritten output of a normalisation for x (kernels/norm/normalised.ts). */
  readonly fuses?: boolean;
  /** x → y, or dy → dx. */
  readonly emit: (g: Graph, from: Tensor, to: Tensor, sizes: UpsampleSizes) => void;
}

type Emit = UpsampleVariant["emit"];

/** Where y, or dy, lies in a wider tensor. */
const inY = (y: Tensor) => ({ Y_CT: channelLayout(y).CT, Y_C0: channelLayout(y).C0 });
const inDy = (dy: Tensor) => ({ DY_CT: channelLayout(dy).CT, DY_C0: channelLayout(dy).C0 });
const align = ({ ALIGN }: UpsampleSizes) => ({ ALIGN: ALIGN === 1, WG: 64 });

function walkArgs({ N, C, D, H, W }: UpsampleSizes, run: number) {
  return { N, C, D, H, W4: W / 4, RUN: Math.min(D, run) };
}

const emitRows =
  (run: number): Emit =>
  (g, x, y, sizes) => {
    const { from, NORM, layout } = sourceOf(g, x);
    const args = { ...walkArgs(sizes, run), ...inY(y), CG: layout.CG };
    g.emit(rows, { ...from, y }, { ...align(sizes), NORM }, args);
  };
const emitRowsDx =
  (run: number): Emit =>
  (g, dy, dx, sizes) =>
    g.emit(rowsDx, { dy, dx }, align(sizes), { ...walkArgs(sizes, run), ...inDy(dy) });
const emitCells: Emit = (g, x, y, sizes) =>
  g.emit(cell, { x, y }, { ...sizes, ...align(sizes), ...inY(y) });
const emitCellsDx: Emit = (g, dy, dx, sizes) =>
  g.emit(cellDx, { dy, dx }, { ...sizes, ...align(sizes), ...inDy(dy) });

/** Long walks share interpolated planes; short ones make more threads, which GPUs want. */
function variantsOf(
  byRows: (run: number) => Emit,
  byCells: Emit,
  fuses: boolean,
): readonly UpsampleVariant[] {
  const supported = () => true;
  const walk = (run: number): UpsampleVariant => ({
    name: `rows${run}`,
    supported,
    fits: ({ W }) => vectorWidth(W) === 4,
    fuses,
    f16: true,
    emit: byRows(run),
  });
  return [walk(16), walk(4), { name: "cells", supported, f16: true, emit: byCells }];
}

export const upsampleVariants = variantsOf(emitRows, emitCells, true);
export const upsampleGradientVariants = variantsOf(emitRowsDx, emitCellsDx, false);
