import forwardWgsl from "../shaders/upsample3d.wgsl" with { type: "text" };
import dxWgsl from "../shaders/upsample3d_dx.wgsl" with { type: "text" };
import type { Consts } from "../src/core/kernel";
import { defineKernel, grid1d, num } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import type { Tensor } from "../src/core/tensor";
import { channelLayout, showShape } from "../src/core/tensor";

export interface UpsampleAttrs {
  /** PyTorch's name: the corner voxels of x and y coincide; else the corners of their grids do. */
  readonly alignCorners: boolean;
  /** Where y goes instead of a new tensor: (N, C, 2D, 2H, 2W), a channel view perhaps. */
  readonly out?: Tensor;
}

const inputs = (c: Consts) =>
  grid1d(
    ["N", "C", "D", "H", "W"].reduce((n, name) => n * num(c, name), 1),
    num(c, "WG"),
  );

const forward = defineKernel({
  name: "upsample3d",
  source: forwardWgsl,
  bindings: { x: "read", y: "read_write" },
  views: ["y"],
  grid: inputs,
});

const dx = defineKernel({
  name: "upsample3d_dx",
  source: dxWgsl,
  bindings: { dy: "read", dx: "read_write" },
  views: ["dy"],
  grid: inputs,
});

function sizes(x: Tensor): { N: number; C: number; D: number; H: number; W: number } {
  const [N = 0, C = 0, D = 0, H = 0, W = 0] = x.shape;
  return { N, C, D, H, W };
}

/**
 * Trilinear upsampling by 2 in each dimension, as PyTorch's `Upsample(scale_factor=2,
 * mode="trilinear")` in both `align_corners` modes. x: (N, C, D, H, W) → y: (N, C, 2D, 2H, 2W).
 */
export const upsample3d = defineOp<UpsampleAttrs>({
  name: "upsample3d",
  forward(g, { x }, { alignCorners, out }) {
    if (x?.shape.length !== 5) {
      throw new Error(`upsample3d: x is ${x && showShape(x.shape)}; expected N×C×D×H×W`);
    }
    const shape = x.shape.map((n, axis) => (axis < 2 ? n : 2 * n));
    if (out && showShape(out.shape) !== showShape(shape)) {
      const wanted = showShape(shape);
      throw new Error(`upsample3d: out is ${showShape(out.shape)}, expected ${wanted}`);
    }
    const y = out ?? g.tensor("upsampled", shape);
    const { CT: Y_CT, C0: Y_C0 } = channelLayout(y);
    g.emit(forward, { x, y }, { ...sizes(x), Y_CT, Y_C0, ALIGN: alignCorners, WG: 64 });
    return { y };
  },
  backward(g, { inputs, attrs }, { y: dy }) {
    const x = inputs.x!;
    const into = g.tensor("dx", x.shape);
    const { CT: DY_CT, C0: DY_C0 } = channelLayout(dy!);
    const consts = { ...sizes(x), DY_CT, DY_C0, ALIGN: attrs.alignCorners, WG: 64 };
    g.emit(dx, { dy: dy!, dx: into }, consts);
    return { x: into };
  },
});
