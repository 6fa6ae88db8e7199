/** Kernels of upsample3d and of its gradient, in the variants that they come in. */
import wgsl from "../shaders/upsample3d.wgsl" with { type: "text" };
import dxWgsl from "../shaders/upsample3d_dx.wgsl" with { type: "text" };
import rowsWgsl from "../shaders/upsample3d_rows.wgsl" with { type: "text" };
import rowsDxWgsl from "../shaders/upsample3d_rows_dx.wgsl" with { type: "text" };
import type { Graph } from "../src/core/graph";
import type { Consts, Kernel } from "../src/core/kernel";
import { defineKernel, grid1d, num, product } from "../src/core/kernel";
import type { Tensor } from "../src/core/tensor";
import { channelLayout } from "../src/core/tensor";
import type { Variant } from "../src/core/variant";
import { normalisedOf } from "./normalised";
import { widthFor } from "./width";

const cells = (c: Consts) => grid1d(product(c, "N", "C", "D", "H", "W"), num(c, "WG"));

/** One thread per RUN planes of four cells along x. */
const runs = (c: Consts) => {
  const chunks = Math.ceil(num(c, "D") / num(c, "RUN"));
  const rows = num(c, "N") * num(c, "C") * chunks * num(c, "H");
  return grid1d((rows * num(c, "W")) / 4, num(c, "WG"));
};

/** 3.5 operations for each of the eight results of a cell: neighbours share interpolations. */
const flops = (c: Consts) => 28 * product(c, "N", "C", "D", "H", "W");

const io = { bindings: { x: "read", y: "read_write" }, views: ["y"] } as const;
const cell = defineKernel({ name: "upsample3d", source: wgsl, ...io, grid: cells, flops });
const rows = defineKernel({
  name: "upsample3d_rows",
  source: rowsWgsl,
  bindings: { x: "read", stats: "read", weight: "read", bias: "read", y: "read_write" },
  views: ["y"],
  grid: runs,
  flops,
});

const ioDx = { bindings: { dy: "read", dx: "read_write" }, views: ["dy"] } as const;
const cellDx = defineKernel({
  name: "upsample3d_dx",
  source: dxWgsl,
  ...ioDx,
  grid: cells,
  flops,
});
const rowsDx = defineKernel({
  name: "upsample3d_rows_dx",
  source: rowsDxWgsl,
  ...ioDx,
  grid: runs,
  flops,
});

/** Sizes of the smaller tensor; ALIGN: 1 for align_corners. */
export type UpsampleSizes = Readonly<Record<"N" | "C" | "D" | "H" | "W" | "ALIGN", number>>;

export interface UpsampleVariant extends Variant<UpsampleSizes> {
  /** Reads x behind a normalisation (kernels/normalised.ts). */
  readonly fuses?: boolean;
  /** x → y, or dy → dx. */
  readonly emit: (g: Graph, from: Tensor, to: Tensor, sizes: UpsampleSizes) => void;
}

type Emit = (consts: (sizes: UpsampleSizes) => Consts) => UpsampleVariant["emit"];

/** The kernels read where y, or dy, lies in a wider tensor. */
const emitRows: Emit = (consts) => (g, x, y, sizes) => {
  const { CT: Y_CT, C0: Y_C0 } = channelLayout(y);
  const norm = normalisedOf(x);
  const from = norm?.inputs ?? { x, stats: x, weight: x, bias: x }; // bound, not read
  const how = { NORM: Boolean(norm), CG: sizes.C / (norm?.groups ?? 1) };
  g.emit(rows, { ...from, y }, { ...sizes, ...consts(sizes), ...how, Y_CT, Y_C0 });
};
const emitCells: Emit = (consts) => (g, x, y, sizes) => {
  const { CT: Y_CT, C0: Y_C0 } = channelLayout(y);
  g.emit(cell, { x, y }, { ...sizes, ...consts(sizes), Y_CT, Y_C0 });
};
const emitGradient =
  (kernel: Kernel): Emit =>
  (consts) =>
  (g, dy, dx, sizes) => {
    const { CT: DY_CT, C0: DY_C0 } = channelLayout(dy);
    g.emit(kernel, { dy, dx }, { ...sizes, ...consts(sizes), DY_CT, DY_C0 });
  };

/** Long walks share interpolated planes; short ones make more threads, which GPUs want. */
function variantsOf(byRows: Emit, byCells: Emit, fuses: boolean): readonly UpsampleVariant[] {
  const supported = () => true;
  const walk = (run: number): UpsampleVariant => ({
    name: `rows${run}`,
    supported,
    fits: ({ W }) => widthFor(W) === 4,
    fuses,
    emit: byRows(({ D }) => ({ RUN: Math.min(D, run), WG: 64 })),
  });
  const any = { name: "cells", supported, emit: byCells(() => ({ WG: 64 })) };
  return [walk(16), walk(4), any];
}

export const upsampleVariants = variantsOf(emitRows, emitCells, true);
export const upsampleGradientVariants = variantsOf(
  emitGradient(rowsDx),
  emitGradient(cellDx),
  false,
);
