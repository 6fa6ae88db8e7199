import wgsl from "../../shaders/windows/overlap_add.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "overlap_add",
  source: wgsl,
  bindings: { p: "read", windows: "read", weights: "read", total: "read_write" },
  args: ["z0", "N", "PLANES", "H", "W"],
  grid: (c) => grid1d(num(c, "N") * num(c, "CHUNKS"), 1),
  flops: (c) => 3 * product(c, "N", "PD", "PH", "PW"),
  bytes: (c) => 12 * product(c, "N", "PD", "PH", "PW"),
});

const WG = 64;
const VPT = 32;

/** Source row of a row of `windows` that stands for no window. */
export const NO_WINDOW = 0xffffffff;

export interface OverlapAttrs {
  /** Depth, height and width of a window, voxels. */
  readonly size: readonly [number, number, number];
  /** Plane of the volume at which `sum` starts. */
  readonly z0: number;
  /** Planes of the whole volume. */
  readonly D: number;
}

/**
 * sum[z − z0, y, x] += w·p[source, …] for every voxel of every window that lies in `sum`, where w is
 * the product of the voxel's weights along the axes of the window.
 * p: (rows, …) with D·H·W elements a row; windows: (n, 4) u32 = z, y, x of the corner (i32 bits, may
 * lie outside), source row of p or NO_WINDOW; weights: (D + H + W); sum: (planes, H, W). Windows may overlap; the
 * additions happen in their order, whatever the launches.
 */
export const overlapAdd = defineOp<OverlapAttrs>({
  name: "overlapAdd",
  mutates: ["sum"],
  forward(g, { p, windows, weights, sum }, { size, z0, D }) {
    const [PD, PH, PW] = size;
    const [N = 0, fields] = windows!.shape;
    const [PLANES = 0, H = 0, W = 0] = sum!.shape;
    const S = elements(p!.shape.slice(1));
    const wanted = PD + PH + PW;
    const fits = S === PD * PH * PW && elements(weights!.shape) === wanted;
    if (fields !== 4 || !fits || W === 0 || z0 < 0 || z0 + PLANES > D) {
      throw new Error(
        `overlapAdd: p is ${showShape(p!.shape)}, windows ${showShape(windows!.shape)}, sum ` +
          `${showShape(sum!.shape)} at plane ${z0} of ${D}, window ${showShape(size)}, weights ` +
          `${showShape(weights!.shape)}; expected (rows, …window), (n, 4), (planes, H, W) within ` +
          `the volume and ${wanted} weights`,
      );
    }
    const CHUNKS = Math.ceil((Math.ceil(PD / VPT) * PH * PW) / WG);
    const consts = { PD, PH, PW, CHUNKS, WG, VPT };
    const args = { z0, N, PLANES, H, W };
    const tensors = { p: p!, windows: windows!, weights: weights!, total: sum! };
    g.emit(kernel, tensors, consts, args);
    return {};
  },
});
