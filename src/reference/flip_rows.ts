import { flipRows } from "../../kernels/rows/flip_rows";
import { defineReference } from "./reference";

export const flipRowsReference = defineReference({
  op: flipRows,
  f16: { inputs: ["x"] },
  cases: [
    { id: "every_flip_9x2_3x5x7", inputs: { x: [9, 2, 3, 5, 7], flips: [9] }, attrs: {} },
    { id: "patches_8x1_4x8x12", inputs: { x: [8, 1, 4, 8, 12], flips: [8] }, attrs: {} },
    { id: "one_voxel_1x3", inputs: { x: [1, 3, 1, 1, 1], flips: [1] }, attrs: {} },
  ],
  crowded: [{ id: "8x1_64x128x65", inputs: { x: [8, 1, 64, 128, 65], flips: [8] }, attrs: {} }],
  types: { flips: "u32" },
  data: (c) => ({
    flips: Float64Array.from({ length: c.inputs.flips![0]! }, (_, n) => (n * 3) % 8),
  }),
  forward({ x, flips }, shapes) {
    const [, C = 1, D = 1, H = 1, W = 1] = shapes.x!;
    const turned = (at: number, size: number, on: number) => (on === 0 ? at : size - 1 - at);
    const y = x!.map((_, i) => {
      const flip = flips![Math.floor(i / (C * D * H * W))]!;
      const column = turned(i % W, W, flip & 1);
      const row = turned(Math.floor(i / W) % H, H, flip & 2);
      const plane = turned(Math.floor(i / (H * W)) % D, D, flip & 4);
      const channel = Math.floor(i / (D * H * W));
      return x![((channel * D + plane) * H + row) * W + column]!;
    });
    return { y };
  },
  bound: () => 0,
});
