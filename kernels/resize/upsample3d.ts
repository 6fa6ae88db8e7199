import { defineOp } from "../../src/core/op";
import type { Tensor } from "../../src/core/tensor";
import { showShape, volumeSizes } from "../../src/core/tensor";
import { preferred } from "../defaults";
import { normalisedOf } from "../norm/normalised";
import type { GradientProblem, UpsampleProblem, UpsampleSizes } from "./upsample3d_variants";
import { upsampleGradientVariants, upsampleVariants } from "./upsample3d_variants";

export interface UpsampleAttrs {
  /** PyTorch's name: the corner voxels of x and y coincide; else the corners of their grids do. */
  readonly alignCorners: boolean;
  /** Where y goes instead of a new tensor: (N, C, 2D, 2H, 2W), a channel view perhaps. */
  readonly out?: Tensor;
}

function sizesOf(x: Tensor, { alignCorners }: UpsampleAttrs): UpsampleSizes {
  return { ...volumeSizes(x.shape), ALIGN: alignCorners ? 1 : 0 };
}

/**
 * Trilinear upsampling by 2 in each dimension, as PyTorch's `Upsample(scale_factor=2,
 * mode="trilinear")` in both `align_corners` modes. x: (N, C, D, H, W) → y: (N, C, 2D, 2H, 2W).
 */
export const upsample3d = defineOp<UpsampleAttrs>({
  name: "upsample3d",
  variants: { upsample3d: upsampleVariants, upsample3d_dx: upsampleGradientVariants },
  defers: ["x"],
  forward(g, { x }, attrs) {
    if (x?.shape.length !== 5) {
      throw new Error(`upsample3d: x is ${x && showShape(x.shape)}; expected N×C×D×H×W`);
    }
    const { out } = attrs;
    const shape = x.shape.map((n, axis) => (axis < 2 ? n : 2 * n));
    if (out && showShape(out.shape) !== showShape(shape)) {
      const wanted = showShape(shape);
      throw new Error(`upsample3d: out is ${showShape(out.shape)}, expected ${wanted}`);
    }
    const y = out ?? g.tensor("upsampled", shape, x.dtype);
    const sizes = sizesOf(x, attrs);
    const NORM = Number(!g.isWritten(x) && normalisedOf(x) !== undefined);
    const problem: UpsampleProblem = { ...sizes, NORM, F16: Number(x.dtype === "f16") };
    const variants = preferred("upsample3d", upsampleVariants, g.caps, problem);
    const variant = g.pick("upsample3d", variants, problem, x.dtype);
    variant.emit(g, variant.fuses && normalisedOf(x) ? x : g.materialise(x), y, sizes);
    return { y };
  },
  backward(g, { inputs, attrs }, { y: dy }) {
    const x = inputs.x!;
    const dx = g.tensor("dx", x.shape, x.dtype);
    const sizes = sizesOf(x, attrs);
    const problem: GradientProblem = { ...sizes, F16: Number(x.dtype === "f16") };
    const variants = preferred("upsample3d_dx", upsampleGradientVariants, g.caps, problem);
    g.pick("upsample3d_dx", variants, problem, x.dtype).emit(g, dy!, dx, sizes);
    return { x: dx };
  },
});
