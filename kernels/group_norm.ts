import applyWgsl from "../shaders/group_norm_apply.wgsl" with { type: "text" };
import dxWgsl from "../shaders/group_norm_dx.wgsl" with { type: "text" };
import paramsWgsl from "../shaders/group_norm_params.wgsl" with { type: "text" };
import statsWgsl from "../shaders/group_norm_stats.wgsl" with { type: "text" };
import sumsWgsl from "../shaders/group_norm_sums.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../src/core/kernel";
import { defineOp } from "../src/core/op";
import type { Tensor } from "../src/core/tensor";
import { channelLayout, elements, showShape } from "../src/core/tensor";

export interface GroupNormAttrs {
  /** Groups of channels; divides C. */
  readonly groups: number;
  /** Added to the variance. */
  readonly eps: number;
  /** Applies ReLU to the result. */
  readonly relu: boolean;
  /** Where y goes instead of a new tensor: of x's shape, a channel view perhaps. */
  readonly out?: Tensor;
}

const stats = defineKernel({
  name: "group_norm_stats",
  source: statsWgsl,
  bindings: { x: "read", stats: "read_write" },
  grid: (c) => grid1d(num(c, "NG"), 1),
});

const apply = defineKernel({
  name: "group_norm_apply",
  source: applyWgsl,
  bindings: { x: "read", stats: "read", weight: "read", bias: "read", y: "read_write" },
  views: ["y"],
  grid: (c) => grid1d(num(c, "N") * num(c, "C") * num(c, "S"), num(c, "WG")),
});

const sums = defineKernel({
  name: "group_norm_sums",
  source: sumsWgsl,
  bindings: {
    x: "read",
    dy: "read",
    stats: "read",
    weight: "read",
    bias: "read",
    sums: "read_write",
  },
  views: ["dy"],
  grid: (c) => grid1d(num(c, "N") * num(c, "C"), 1),
});

const params = defineKernel({
  name: "group_norm_params",
  source: paramsWgsl,
  bindings: { sums: "read", dweight: "read_write", dbias: "read_write" },
  grid: (c) => grid1d(num(c, "C"), num(c, "WG")),
});

const dx = defineKernel({
  name: "group_norm_dx",
  source: dxWgsl,
  bindings: {
    x: "read",
    dy: "read",
    stats: "read",
    weight: "read",
    bias: "read",
    sums: "read",
    dx: "read_write",
  },
  views: ["dy"],
  grid: (c) => grid1d(num(c, "N") * num(c, "C") * num(c, "S"), num(c, "WG")),
});

/** N, C, elements of space S and channels of a group CG. */
function sizes(x: Tensor, groups: number): { N: number; C: number; S: number; CG: number } {
  const [N = 1, C = 1, ...space] = x.shape;
  return { N, C, S: elements(space), CG: C / groups };
}

/**
 * Group normalisation (Wu & He 2018) over (C/groups, D, H, W), with scale and shift per channel and
 * a ReLU on request. x: (N, C, …), weight, bias: (C) → y: (N, C, …), stats: (N, groups, 2) = mean
 * and 1/√(biased variance + eps).
 */
export const groupNorm = defineOp<GroupNormAttrs>({
  name: "groupNorm",
  forward(g, { x, weight, bias }, { groups, eps, relu, out }) {
    if (!x || !weight || !bias) throw new Error("groupNorm: expected inputs x, weight and bias");
    const { N, C, S, CG } = sizes(x, groups);
    if (!Number.isInteger(CG)) {
      throw new Error(`groupNorm: ${groups} groups do not divide the ${C} channels of x`);
    }
    if (elements(weight.shape) !== C || elements(bias.shape) !== C) {
      throw new Error(
        `groupNorm: x has ${C} channels (${showShape(x.shape)}), weight is ` +
          `${showShape(weight.shape)}, bias ${showShape(bias.shape)}; expected ${C} each`,
      );
    }
    if (out && showShape(out.shape) !== showShape(x.shape)) {
      throw new Error(`groupNorm: x is ${showShape(x.shape)}, out ${showShape(out.shape)}`);
    }
    const y = out ?? g.tensor("normed", x.shape);
    const moments = g.tensor("stats", [N, groups, 2]);
    g.emit(stats, { x, stats: moments }, { NG: N * groups, M: CG * S, EPS: eps, WG: 64 });
    const { CT: Y_CT, C0: Y_C0 } = channelLayout(y);
    const consts = { N, C, S, CG, Y_CT, Y_C0, RELU: relu, WG: 64 };
    g.emit(apply, { x, stats: moments, weight, bias, y }, consts);
    return { y, stats: moments };
  },
  backward(g, { inputs, outputs, attrs, needs }, { y: dy }) {
    const [x, weight, bias] = [inputs.x!, inputs.weight!, inputs.bias!];
    const { N, C, S, CG } = sizes(x, attrs.groups);
    const { CT: DY_CT, C0: DY_C0 } = channelLayout(dy!);
    const consts = { N, C, S, CG, DY_CT, DY_C0, RELU: attrs.relu, WG: 64 };
    const read = { x, dy: dy!, stats: outputs.stats!, weight, bias };
    const partial = g.tensor("sums", [N, C, 2]);
    g.emit(sums, { ...read, sums: partial }, consts);
    const grads: Record<string, Tensor> = {};
    if (needs.has("weight") || needs.has("bias")) {
      const [w, b] = [g.into(weight), g.into(bias)];
      const how = { N, C, ACC_WEIGHT: w.accumulate, ACC_BIAS: b.accumulate, WG: 64 };
      g.emit(params, { sums: partial, dweight: w.tensor, dbias: b.tensor }, how);
      grads.weight = w.tensor;
      grads.bias = b.tensor;
    }
    if (needs.has("x")) {
      grads.x = g.tensor("dx", x.shape);
      g.emit(dx, { ...read, sums: partial, dx: grads.x }, consts);
    }
    return grads;
  },
});
