import wgsl from "../../shaders/loss/components.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "components",
  source: wgsl,
  bindings: { labels: "read", roots: "read_write" },
  args: ["N", "D", "H", "W"],
  grid: (c) => grid1d(num(c, "N"), 1),
});

/** The root of a voxel that is part of nothing. */
export const NO_ROOT = 0xffffffff;

/**
 * Connected components, by 6 neighbours, of what is above 0.5 in each patch. target: (N, 1, D, H, W);
 * roots: the same shape, u32: the index in the patch of the first voxel of the voxel's component, or
 * NO_ROOT. Exact, so the same in whatever order the device works.
 */
export const components = defineOp({
  name: "components",
  forward(g, { target }) {
    const [N, C, D, H, W, ...more] = target!.shape;
    if (!N || C !== 1 || !D || !H || !W || more.length > 0) {
      throw new Error(
        `components: target is ${showShape(target!.shape)}; expected (N, 1, D, H, W)`,
      );
    }
    const roots = g.tensor("roots", target!.shape, "u32");
    g.emit(kernel, { labels: target!, roots }, { WG: 256 }, { N, D, H, W });
    return { roots };
  },
});
