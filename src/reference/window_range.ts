import type { PatchAttrs } from "../../kernels/volume/gather_patches";
import { windowRange } from "../../kernels/windows/window_range";
import { forEachPatchVoxel, pagedShapes, pagedVolumes, patchSizes } from "./paged_volumes";
import { defineReference } from "./reference";

export const windowRangeReference = defineReference<PatchAttrs>({
  op: windowRange,
  sized: patchSizes((size) => ({ size, half: size[0] % 2 === 0 })),
  cases: [
    { id: "f32", inputs: pagedShapes(11), attrs: { size: [4, 5, 6], half: false } },
    { id: "f16", inputs: pagedShapes(11), attrs: { size: [4, 5, 6], half: true } },
    { id: "f32_window_larger", inputs: pagedShapes(5), attrs: { size: [10, 9, 11], half: false } },
  ],
  crowded: [
    { id: "65537_windows", inputs: pagedShapes(65537), attrs: { size: [1, 2, 3], half: false } },
  ],
  types: { page0: "u32", page1: "u32", table: "u32", coords: "u32" },
  data: (c, rng) => pagedVolumes(c.attrs.half, c.inputs, rng),
  forward(inputs, shapes, { size, half }) {
    const n = shapes.coords![0]!;
    const inf = Number.POSITIVE_INFINITY;
    const range = Float64Array.from({ length: 4 * n }, (_, i) => (i % 2 === 0 ? inf : -inf));
    forEachPatchVoxel(inputs, size, half, (w, _s, visits) => {
      for (const visit of [0, 1]) {
        const at = 4 * w + 2 * visit;
        range[at] = Math.min(range[at]!, visits[visit]!);
        range[at + 1] = Math.max(range[at + 1]!, visits[visit]!);
      }
    });
    return { range };
  },
  bound: () => 0,
});
