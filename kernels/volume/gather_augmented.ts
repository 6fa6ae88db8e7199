import wgsl from "../../shaders/volume/gather_augmented.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import type { Tensors } from "../../src/core/op";
import { defineOp } from "../../src/core/op";
import type { Tensor } from "../../src/core/tensor";
import { ROW_LAYOUT } from "./augmentation";
import {
  emitPerPage,
  type GatherAttrs,
  type GatherTile,
  gatherBytes,
  gatherConsts,
  pagesOf,
} from "./gather_patches";

const kernel = defineKernel({
  name: "gather_augmented",
  source: wgsl,
  bindings: { page: "read", table: "read", rows: "read", x: "read_write", y: "read_write" },
  args: ["page", "N"],
  storage: { T: ["x"] },
  grid: (c) => grid1d(num(c, "N") * num(c, "CHUNKS"), 1),
  bytes: gatherBytes,
});

/** A workgroup reads all parameters of its patch first. */
const TILE: GatherTile = { WG: 64, VPT: 8 };

/**
 * As gatherPatches, each patch varied by the parameters after its corner (kernels/volume/augmentation.ts).
 * coords: (n, ROW_LAYOUT.ROW) u32. The label moves with the image, by its nearest voxel, so that
 * the expected volume of small lesions stays.
 */
export const gatherAugmented = defineOp<GatherAttrs>({
  name: "gatherAugmented",
  forward(g, inputs, attrs) {
    const pages = pagesOf("gatherAugmented", inputs, ROW_LAYOUT.ROW);
    const { table, coords: rows } = inputs as { table: Tensor; coords: Tensor };
    const N = rows.shape[0]!;
    const x = g.tensor("patches", [N, attrs.difference ? 3 : 2, ...attrs.size], attrs.dtype);
    // Without labels the binding still needs a buffer; nothing is written to it.
    const y = g.tensor("patch_labels", attrs.label ? [N, 1, ...attrs.size] : [1]);
    const consts = { ...gatherConsts(attrs, g.caps, TILE), ...ROW_LAYOUT };
    emitPerPage(g, kernel, pages, { table, rows, x, y }, consts, { N });
    const outputs: Tensors = attrs.label ? { x, y } : { x };
    return outputs;
  },
});
