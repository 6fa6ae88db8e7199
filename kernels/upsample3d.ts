import wgsl from "../shaders/upsample3d.wgsl" with { type: "text" };
import dxWgsl from "../shaders/upsample3d_dx.wgsl" with { type: "text" };
import rowsWgsl from "../shaders/upsample3d_rows.wgsl" with { type: "text" };
import rowsDxWgsl from "../shaders/upsample3d_rows_dx.wgsl" with { type: "text" };
import type { Capabilities, Consts } from "../src/core/kernel";
import { defineKernel, grid1d, num, product } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import type { Tensor } from "../src/core/tensor";
import { channelLayout, showShape } from "../src/core/tensor";
import { widthFor } from "./width";

export interface UpsampleAttrs {
  /** PyTorch's name: the corner voxels of x and y coincide; else the corners of their grids do. */
  readonly alignCorners: boolean;
  /** Where y goes instead of a new tensor: (N, C, 2D, 2H, 2W), a channel view perhaps. */
  readonly out?: Tensor;
}

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
const anyWidth = defineKernel({ name: "upsample3d", source: wgsl, ...io, grid: cells, flops });
const rows = defineKernel({ name: "upsample3d_rows", source: rowsWgsl, ...io, grid: runs, flops });

const ioDx = { bindings: { dy: "read", dx: "read_write" }, views: ["dy"] } as const;
const anyWidthDx = defineKernel({
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

function sizes(x: Tensor): { N: number; C: number; D: number; H: number; W: number } {
  const [N = 0, C = 0, D = 0, H = 0, W = 0] = x.shape;
  return { N, C, D, H, W };
}

/** Planes that one thread walks along: a GPU wants more threads instead. */
function split(x: Tensor, { kind }: Capabilities): { RUN: number; WG: number } {
  return { RUN: Math.min(x.shape[2]!, kind === "hardware" ? 4 : 16), WG: 64 };
}

/**
 * Trilinear upsampling by 2 in each dimension, as PyTorch's `Upsample(scale_factor=2,
 * mode="trilinear")` in both `align_corners` modes. x: (N, C, D, H, W) → y: (N, C, 2D, 2H, 2W).
 */
export const upsample3d = defineOp<UpsampleAttrs>({
  name: "upsample3d",
  forward(g, { x }, { alignCorners, out }) {
    if (x?.shape.length !== 5) {
      throw new Error(`upsample3d: x is ${x && showShape(x.shape)}; expected N×C×D×H×W`);
    }
    const shape = x.shape.map((n, axis) => (axis < 2 ? n : 2 * n));
    if (out && showShape(out.shape) !== showShape(shape)) {
      const wanted = showShape(shape);
      throw new Error(`upsample3d: out is ${showShape(out.shape)}, expected ${wanted}`);
    }
    const y = out ?? g.tensor("upsampled", shape);
    const { CT: Y_CT, C0: Y_C0 } = channelLayout(y);
    const consts = { ...sizes(x), Y_CT, Y_C0, ALIGN: alignCorners };
    if (widthFor(x.shape[4]!) === 4) g.emit(rows, { x, y }, { ...consts, ...split(x, g.caps) });
    else g.emit(anyWidth, { x, y }, { ...consts, WG: 64 });
    return { y };
  },
  backward(g, { inputs, attrs }, { y: dy }) {
    const x = inputs.x!;
    const dx = g.tensor("dx", x.shape);
    const { CT: DY_CT, C0: DY_C0 } = channelLayout(dy!);
    const consts = { ...sizes(x), DY_CT, DY_C0, ALIGN: attrs.alignCorners };
    const tensors = { dy: dy!, dx };
    if (widthFor(x.shape[4]!) === 4) g.emit(rowsDx, tensors, { ...consts, ...split(x, g.caps) });
    else g.emit(anyWidthDx, tensors, { ...consts, WG: 64 });
    return { x: dx };
  },
});
