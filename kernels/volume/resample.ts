import wgsl from "../../shaders/volume/resample.wgsl" with { type: "text" };
import { defineKernel, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape, type Tensor } from "../../src/core/tensor";

type Triple = readonly [number, number, number];

const AXES = ["z", "y", "x"] as const;
const parts = (name: string) =>
  AXES.flatMap((axis) => [`${name}_${axis}`, `${name}_${axis}_high`, `${name}_${axis}_low`]);

const kernel = defineKernel({
  name: "resample",
  source: wgsl,
  bindings: { x: "read", params: "read", y: "read_write" },
  args: ["D", "H", "W", "D2", "H2", "W2", ...parts("scale"), ...parts("offset")],
  grid: (c) => [
    Math.ceil(num(c, "W2") / num(c, "WG")),
    num(c, "H2"),
    Math.ceil(num(c, "D2") / num(c, "VPT")),
  ],
  flops: (c) => ((c.LINEAR ? 9 : 0) + (c.STANDARDISE ? 2 : 0)) * product(c, "D2", "H2", "W2"),
  bytes: (c) => 4 * (product(c, "D", "H", "W") + product(c, "D2", "H2", "W2")),
});

/** Sizes and coordinates along an axis stay below this many voxels, so that products fit. */
const LIMIT = 2 ** 15;

export interface ResampleAttrs {
  /** Output depth, height and width, voxels. */
  readonly size: Triple;
  readonly mode: "trilinear" | "nearest";
  /** Output voxel i reads input coordinate scale · i + offset along each axis (z, y, x), voxels. */
  readonly scale: Triple;
  readonly offset: Triple;
  /** Where the result goes; by default a new tensor. */
  readonly out?: Tensor;
}

/** `value` as 32.32 fixed point: whole part (i32 bits), upper and lower half of the fraction. */
function fixedPoint(name: string, axis: string, value: number): Record<string, number> {
  let whole = Math.floor(value);
  let fraction = Math.round((value - whole) * 2 ** 32);
  if (fraction === 2 ** 32) {
    whole++;
    fraction = 0;
  }
  return {
    [`${name}_${axis}`]: whole >>> 0,
    [`${name}_${axis}_high`]: Math.floor(fraction / 2 ** 16),
    [`${name}_${axis}_low`]: fraction % 2 ** 16,
  };
}

/**
 * Samples x (D, H, W) on another grid with axes along its own: y (D2, H2, W2), voxel i from input
 * coordinate scale · i + offset along each axis; coordinates beyond the edge are held at it.
 * Nearest takes voxel ⌊c + ½⌋. Coordinates are exact to size · 2⁻³³ voxels.
 * With params (2) = mean, 1/std, the second half of z-normalisation too: y = (sample − mean) / std.
 */
export const resample = defineOp<ResampleAttrs>({
  name: "resample",
  forward(g, { x, params }, { size, mode, scale, offset, out }) {
    const [D, H, W] = x!.shape;
    const reach = AXES.map(
      (_, i) => Math.max(Math.abs(scale[i]!), 1) * size[i]! + Math.abs(offset[i]!),
    );
    if (!D || !H || !W || x!.shape.length > 3 || !reach.every((c) => c < LIMIT)) {
      throw new Error(
        `resample: x is ${showShape(x!.shape)}, output ${showShape(size)}, scale ${scale}, offset ` +
          `${offset}; expected (D, H, W), and sizes and coordinates below ${LIMIT}`,
      );
    }
    if (params && elements(params.shape) !== 2) {
      throw new Error(`resample: params are ${showShape(params.shape)}; expected 2`);
    }
    const LINEAR = mode === "trilinear";
    const args = AXES.map((axis, i) => ({
      ...fixedPoint("scale", axis, scale[i]!),
      ...fixedPoint("offset", axis, offset[i]! + (LINEAR ? 0 : 0.5)),
    }));
    const y = out ?? g.tensor("resampled", size);
    const [D2, H2, W2] = size;
    const STANDARDISE = params !== undefined;
    const consts = { LINEAR, STANDARDISE, WG: 64, VPT: 32 };
    const sizes = { D, H, W, D2, H2, W2 };
    const tensors = { x: x!, params: params ?? x!, y };
    g.emit(kernel, tensors, consts, Object.assign(sizes, ...args));
    return { y };
  },
});
