/** Sampling a volume on a grid that is turned, moved or scaled against it. */
import wgsl from "../../shaders/volume/resample_affine.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape, type Tensor } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "resample_affine",
  source: wgsl,
  bindings: { x: "read", matrix: "read", y: "read_write" },
  args: ["D", "H", "W", "D2", "H2", "W2"],
  grid: (c) => grid1d(product(c, "D2", "H2", "W2"), num(c, "WG")),
  flops: (c) => [20, 45, 0, 220][num(c, "ORDER")]! * product(c, "D2", "H2", "W2"),
});

/** Degree of the interpolation. */
export const RESAMPLE_ORDERS = { nearest: 0, trilinear: 1, cubic: 3 } as const;
export type ResampleOrder = keyof typeof RESAMPLE_ORDERS;

export interface ResampleAffineAttrs {
  /** Output depth, height and width, voxels. */
  readonly size: readonly [number, number, number];
  readonly order: ResampleOrder;
  /** Where the result goes; by default a new tensor. */
  readonly out?: Tensor;
}

/**
 * y (D2, H2, W2): x (D, H, W) at matrix (12) · (output index x, y, z, 1), rows of a 3 × 4 matrix, in
 * voxels. The edge holds up to the outer faces, beyond them y is 0. Coordinates are float32: good to
 * 1e-4 of a voxel in volumes of up to 1,000 voxels along an axis.
 */
export const resampleAffine = defineOp<ResampleAffineAttrs>({
  name: "resampleAffine",
  forward(g, { x, matrix }, { size, order, out }) {
    const [D, H, W] = x!.shape;
    if (!D || !H || !W || x!.shape.length > 3 || elements(matrix!.shape) !== 12) {
      throw new Error(
        `resampleAffine: x is ${showShape(x!.shape)}, matrix is ${showShape(matrix!.shape)}; expected ` +
          "(D, H, W) and (12)",
      );
    }
    const y = out ?? g.tensor("resampled", size);
    const [D2, H2, W2] = size;
    const consts = { ORDER: RESAMPLE_ORDERS[order], WG: 64 };
    g.emit(kernel, { x: x!, matrix: matrix!, y }, consts, { D, H, W, D2, H2, W2 });
    return { y };
  },
});
