import type { GatherAttrs } from "../../kernels/volume/gather_patches";
import { gatherPatches } from "../../kernels/volume/gather_patches";
import { forEachPatchVoxel, pagedShapes, pagedVolumes, patchSizes } from "./paged_volumes";
import type { Values } from "./reference";
import { defineReference } from "./reference";

const odd: [number, number, number] = [4, 5, 6];
const big: [number, number, number] = [10, 9, 11];

export const gatherPatchesReference = defineReference<GatherAttrs>({
  op: gatherPatches,
  sized: patchSizes((size) => ({ size, half: size[0] % 2 === 0, label: true })),
  f16: { inputs: [], attrs: (attrs) => ({ ...attrs, dtype: "f16" }) },
  cases: [
    { id: "f32", inputs: pagedShapes(11), attrs: { size: odd, half: false, label: true } },
    { id: "f16", inputs: pagedShapes(11), attrs: { size: odd, half: true, label: true } },
    { id: "f32_no_label", inputs: pagedShapes(5), attrs: { size: odd, half: false, label: false } },
    {
      id: "f32_difference",
      inputs: pagedShapes(9),
      attrs: { size: odd, half: false, label: true, difference: true },
    },
    {
      id: "f16_difference_no_label",
      inputs: pagedShapes(7),
      attrs: { size: odd, half: true, label: false, difference: true },
    },
    {
      id: "f16_patch_larger",
      inputs: pagedShapes(6),
      attrs: { size: big, half: true, label: true },
    },
  ],
  crowded: [
    {
      id: "65537_patches",
      inputs: pagedShapes(65537),
      attrs: { size: [1, 2, 3], half: false, label: true },
    },
  ],
  types: { page0: "u32", page1: "u32", table: "u32", coords: "u32" },
  data: (c, rng) => pagedVolumes(c.attrs.half, c.inputs, rng),
  forward(inputs, shapes, { size, half, label, difference }) {
    const S = size[0] * size[1] * size[2];
    const n = shapes.coords![0]!;
    const C = difference ? 3 : 2;
    const x = new Float64Array(C * n * S);
    const y = new Float64Array(n * S);
    forEachPatchVoxel(inputs, size, half, (n, s, [first, second, bit]) => {
      x[C * n * S + s] = first;
      x[(C * n + 1) * S + s] = second;
      if (difference) x[(C * n + 2) * S + s] = Math.fround(second - first);
      y[n * S + s] = bit;
    });
    const outputs: Values = label ? { x, y } : { x };
    return outputs;
  },
  bound: () => 0,
});
