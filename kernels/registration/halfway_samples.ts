/** Both visits at the points of a grid in the space between them: what registration makes small. */
import wgsl from "../../shaders/registration/halfway_samples.wgsl" with { type: "text" };
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, type Shape, showShape, type Tensor } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "halfway_samples",
  source: wgsl,
  bindings: { visit1: "read", visit2: "read", pose: "read", mask: "read", samples: "read_write" },
  args: ["D", "H", "W", "D1", "H1", "W1", "D2", "H2", "W2"],
  grid: (c) => grid1d(product(c, "D", "H", "W"), num(c, "WG")),
  flops: (c) => 140 * product(c, "D", "H", "W"),
});

/** Numbers of a pose, as the shader's head lists them. */
export const POSE_NUMBERS = 45;
/** Rows of samples: r, gx, gy, gz, m, and 1 where the point counts. */
export const SAMPLE_ROWS = 6;

export interface HalfwaySamplesAttrs {
  /** Points of the grid: depth, height, width. */
  readonly size: readonly [number, number, number];
  /** Where the samples go; by default a new tensor. */
  readonly out?: Tensor;
}

/**
 * Residual, gradient of the mean image and mean of two visits at every point of a grid.
 * visit1 (D1, H1, W1) and visit2 (D2, H2, W2), at least 2 voxels along each axis; pose (45), see
 * halfway_samples.wgsl; mask (D, H, W), if given: points where it is 0 do not count; samples
 * (6, D, H, W).
 */
export const halfwaySamples = defineOp<HalfwaySamplesAttrs>({
  name: "halfwaySamples",
  forward(g, { visit1, visit2, pose, mask }, { size, out }) {
    const isVolume = (shape: Shape) => shape.length === 3 && shape.every((n) => n >= 2);
    const fits = isVolume(visit1!.shape) && isVolume(visit2!.shape);
    if (!fits || elements(pose!.shape) !== POSE_NUMBERS) {
      throw new Error(
        `halfwaySamples: visits are ${showShape(visit1!.shape)} and ${showShape(visit2!.shape)}, ` +
          `pose is ${showShape(pose!.shape)}; expected (D, H, W) of at least 2 voxels an axis, and ` +
          `(${POSE_NUMBERS})`,
      );
    }
    if (mask && showShape(mask.shape) !== showShape(size)) {
      throw new Error(
        `halfway_samples: mask is ${showShape(mask.shape)}; expected ${showShape(size)}`,
      );
    }
    const [D, H, W] = size;
    const [D1 = 0, H1 = 0, W1 = 0] = visit1!.shape;
    const [D2 = 0, H2 = 0, W2 = 0] = visit2!.shape;
    const samples = out ?? g.tensor("samples", [SAMPLE_ROWS, D, H, W]);
    const tensors = { visit1: visit1!, visit2: visit2!, pose: pose!, mask: mask ?? pose!, samples };
    g.emit(
      kernel,
      tensors,
      { MASKED: mask !== undefined, WG: 64 },
      { D, H, W, D1, H1, W1, D2, H2, W2 },
    );
    return { samples };
  },
});
