import wgsl from "../../shaders/windows/window_range.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import type { Tensor } from "../../src/core/tensor";
import type { PatchAttrs } from "../volume/gather_patches";
import { emitPerPage, pagesOf } from "../volume/gather_patches";

const kernel = defineKernel({
  name: "window_range",
  source: wgsl,
  bindings: { page: "read", table: "read", coords: "read", range: "read_write" },
  args: ["page"],
  grid: (c) => grid1d(num(c, "N"), 1),
  bytes: (c) => (c.HALF ? 4 : 8) * product(c, "N", "PD", "PH", "PW"),
});

/**
 * Least and greatest value of both visits in each window: range (n, 4) = min1, max1, min2, max2.
 * Inputs as of gatherPatches; a window whose two ranges are points has constant input.
 */
export const windowRange = defineOp<PatchAttrs>({
  name: "windowRange",
  forward(g, inputs, { size, half }) {
    const pages = pagesOf("windowRange", inputs);
    const { table, coords } = inputs as { table: Tensor; coords: Tensor };
    const [PD, PH, PW] = size;
    const N = coords.shape[0]!;
    const range = g.tensor("window_range", [N, 4]);
    const consts = { N, PD, PH, PW, HALF: half, WG: 64 };
    emitPerPage(g, kernel, pages, { table, coords, range }, consts);
    return { range };
  },
});
