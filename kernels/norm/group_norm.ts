import applyWgsl from "../../shaders/norm/group_norm_apply.wgsl" with { type: "text" };
import dxWgsl from "../../shaders/norm/group_norm_dx.wgsl" with { type: "text" };
import mergeWgsl from "../../shaders/norm/group_norm_merge.wgsl" with { type: "text" };
import paramsWgsl from "../../shaders/norm/group_norm_params.wgsl" with { type: "text" };
import statsWgsl from "../../shaders/norm/group_norm_stats.wgsl" with { type: "text" };
import sumsWgsl from "../../shaders/norm/group_norm_sums.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Capabilities, Consts } from "../../src/core/kernel";
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import type { Deferred, Tensor } from "../../src/core/tensor";
import { channelLayout, elements, showShape } from "../../src/core/tensor";
import { partialSumLanes } from "../partial_sums";
import { byVectorWidth, vectorWidth } from "../vector_width";
import type { Normalised, NormGradient } from "./normalised";

export interface GroupNormAttrs {
  /** Groups of channels; divides C. */
  readonly groups: number;
  /** Added to the variance. */
  readonly eps: number;
  /** Applies ReLU to the result. */
  readonly relu: boolean;
  /** x's moments, (N, C, T, 3), see group_norm_merge.wgsl: what makes x may know them. */
  readonly moments?: Tensor;
  /** Where y goes instead of a new tensor: of x's shape, a channel view perhaps. */
  readonly out?: Tensor;
}

const stats = byVectorWidth(
  defineKernel({
    name: "group_norm_stats",
    source: statsWgsl,
    bindings: { x: "read", stats: "read_write" },
    storage: { V: ["x"] },
    grid: (c) => grid1d(num(c, "NG"), 1),
    flops: (c) => 4 * product(c, "NG", "M"),
  }),
);

const merge = defineKernel({
  name: "group_norm_merge",
  source: mergeWgsl,
  bindings: { parts: "read", stats: "read_write", channel_means: "read_write" },
  args: ["NG", "CG", "T"],
  grid: (c) => grid1d(product(c, "NG", "CHANNELS", "LANES"), num(c, "WG")),
});

/** One workgroup per chunk of a channel. */
const chunks = (c: Consts) => {
  const perChannel = Math.ceil(num(c, "S") / (num(c, "WG") * num(c, "ITEMS")));
  return grid1d(num(c, "N") * num(c, "C") * perChannel, 1);
};

const apply = byVectorWidth(
  defineKernel({
    name: "group_norm_apply",
    source: applyWgsl,
    bindings: { x: "read", stats: "read", weight: "read", bias: "read", y: "read_write" },
    views: ["y"],
    storage: { V: ["x", "y"] },
    grid: chunks,
    flops: (c) => 4 * product(c, "N", "C", "S"),
  }),
);

const backwardInputs = {
  x: "read",
  dy: "read",
  stats: "read",
  weight: "read",
  bias: "read",
} as const;

const sums = byVectorWidth(
  defineKernel({
    name: "group_norm_sums",
    source: sumsWgsl,
    bindings: { ...backwardInputs, sums: "read_write" },
    storage: { V: ["x", "dy"] },
    args: ["N", "C", "S", "CG", "DY_CT", "DY_C0"],
    views: ["dy"],
    grid: (c) => grid1d(num(c, "N") * num(c, "C"), 1),
    flops: (c) => 5 * product(c, "N", "C", "S"),
  }),
);

const params = defineKernel({
  name: "group_norm_params",
  source: paramsWgsl,
  bindings: {
    ...{ sums: "read", weight: "read", means: "read_write" },
    ...{ dweight: "read_write", dbias: "read_write" },
  },
  args: ["N", "C", "CG", "M"],
  grid(c) {
    const [N, C, CG] = [num(c, "N"), num(c, "C"), num(c, "CG")];
    return grid1d(C * num(c, "LANES") + (N * C) / CG, num(c, "WG"));
  },
});

const dx = byVectorWidth(
  defineKernel({
    name: "group_norm_dx",
    source: dxWgsl,
    bindings: { ...backwardInputs, means: "read", dx: "read_write" },
    storage: { V: ["x", "dy", "dx"] },
    views: ["dy"],
    grid: chunks,
    flops: (c) => 6 * product(c, "N", "C", "S"),
  }),
);

interface Sizes {
  readonly N: number;
  readonly C: number;
  /** Vectors of a channel, and elements of a vector. */
  readonly S: number;
  readonly WIDTH: 4 | 1;
  /** Channels of a group. */
  readonly CG: number;
}

function sizes(x: Tensor, groups: number): Sizes {
  const [N = 1, C = 1, ...space] = x.shape;
  const S = elements(space);
  const WIDTH = vectorWidth(S);
  return { N, C, S: S / WIDTH, WIDTH, CG: C / groups };
}

/** Threads of a workgroup that sums `count` vectors; on a processor few, for each costs. */
function reducers(count: number, { kind }: Capabilities): number {
  if (kind !== "hardware") return count < 4096 ? 32 : 64;
  return Math.min(256, Math.max(32, 2 ** Math.floor(Math.log2(count / 8))));
}

/** Threads that merge T parts of each of the CG channels of a group. */
function mergers(CG: number, T: number, caps: Capabilities): Record<string, number> {
  const LANES = partialSumLanes(T, caps, 16);
  const CHANNELS = LANES > 1 ? Math.min(8, 2 ** Math.ceil(Math.log2(CG))) : 1;
  return { LANES, CHANNELS, WG: LANES > 1 ? Math.max(32, LANES * CHANNELS) : 64 };
}

/** How a map over S vectors of each channel is split. */
function mapping(S: number, { kind }: Capabilities): Record<string, number | boolean> {
  const WG = S < 1024 ? 64 : 256;
  return { WG, ITEMS: Math.min(4, Math.ceil(S / WG)), STRIDED: kind === "hardware" };
}

/** Mean and 1/√(variance + eps) of each group, (N, groups, 2), and channel means where known. */
function statistics(
  g: Graph,
  x: Tensor,
  { groups, eps, moments }: GroupNormAttrs,
): { stats: Tensor; channelMeans?: Tensor } {
  const { N, C, S, WIDTH, CG } = sizes(x, groups);
  const into = g.tensor("stats", [N, groups, 2]);
  if (!moments) {
    const consts = { NG: N * groups, M: CG * S, WIDTH, EPS: eps, WG: reducers(CG * S, g.caps) };
    g.emit(stats(WIDTH), { x, stats: into }, consts);
    return { stats: into };
  }
  const channelMeans = g.tensor("channel_means", [N, C]);
  const tensors = { parts: moments, stats: into, channel_means: channelMeans };
  const T = moments.shape[2]!;
  g.emit(merge, tensors, { EPS: eps, ...mergers(CG, T, g.caps) }, { NG: N * groups, CG, T });
  return { stats: into, channelMeans };
}

/** What the output is made of while nothing has written it. */
export function normalised(
  inputs: Normalised["inputs"],
  { groups, relu, out }: GroupNormAttrs,
): Normalised {
  const { x } = inputs;
  const { N, C, S, WIDTH, CG } = sizes(x, groups);
  const write = (g: Graph, y: Tensor) => {
    const { CT: Y_CT, C0: Y_C0 } = channelLayout(y);
    const consts = { N, C, S, CG, Y_CT, Y_C0, RELU: relu, ...mapping(S, g.caps) };
    g.emit(apply(WIDTH), { ...inputs, y }, consts);
  };
  return { kind: "normalised", inputs, groups, relu, out, write };
}

/** What the gradient of x is made of while nothing has written it. */
export function normGradient(
  inputs: NormGradient["inputs"],
  { groups, relu }: Pick<GroupNormAttrs, "groups" | "relu">,
  channelMeans?: Tensor,
): NormGradient | Deferred {
  const { sums: _, ...read } = inputs;
  const { N, C, S, WIDTH, CG } = sizes(inputs.x, groups);
  const { CT: DY_CT, C0: DY_C0 } = channelLayout(inputs.dy);
  return {
    kind: relu ? "normGradient" : "gradient",
    inputs,
    channelMeans,
    groups,
    write(g, into) {
      const consts = { N, C, S, CG, DY_CT, DY_C0, RELU: relu, ...mapping(S, g.caps) };
      g.emit(dx(WIDTH), { ...read, dx: into }, consts);
    },
  };
}

/**
 * Group normalisation (Wu & He 2018) over (C/groups, D, H, W), with scale and shift per channel and
 * a ReLU on request. x: (N, C, …), weight, bias: (C) → y: (N, C, …), deferred (kernels/norm/normalised.ts),
 * stats: (N, groups, 2) = mean and 1/√(biased variance + eps).
 */
export const groupNorm = defineOp<GroupNormAttrs>({
  name: "groupNorm",
  forward(g, { x, weight, bias }, attrs) {
    if (!x || !weight || !bias) throw new Error("groupNorm: expected inputs x, weight and bias");
    const { groups, out } = attrs;
    const { C, CG } = sizes(x, groups);
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
    const found = statistics(g, x, attrs);
    const inputs = { x, stats: found.stats, weight, bias };
    return { y: g.defer("normed", x.shape, normalised(inputs, attrs), x.dtype), ...found };
  },
  backward(g, { inputs, outputs, attrs, needs }, { y: dy }) {
    const [x, weight, bias] = [inputs.x!, inputs.weight!, inputs.bias!];
    const { groups, relu } = attrs;
    const { N, C, S, WIDTH, CG } = sizes(x, groups);
    const { CT: DY_CT, C0: DY_C0 } = channelLayout(dy!);
    const places = { N, C, S, CG, DY_CT, DY_C0 };
    const read = { x, dy: dy!, stats: outputs.stats!, weight, bias };
    const partial = g.tensor("sums", [N, C, 2]);
    const threads = { WIDTH, RELU: relu, WG: reducers(S, g.caps) };
    g.emit(sums(WIDTH), { ...read, sums: partial }, threads, places);
    const means = g.tensor("means", [N, groups, 2]);
    const gradient = (name: string, t: Tensor) =>
      needs.has(name) ? g.into(t) : { tensor: g.tensor(`d${name}`, t.shape), accumulate: false };
    const [w, b] = [gradient("weight", weight), gradient("bias", bias)];
    g.emit(
      params,
      { sums: partial, weight, means, dweight: w.tensor, dbias: b.tensor },
      {
        ACC_WEIGHT: w.accumulate,
        ACC_BIAS: b.accumulate,
        LANES: partialSumLanes(N, g.caps),
        WG: 64,
      },
      { N, C, CG, M: CG * S * WIDTH },
    );
    const grads: Record<string, Tensor> = { weight: w.tensor, bias: b.tensor };
    if (needs.has("x")) {
      const made = normGradient({ ...read, means, sums: partial }, attrs, outputs.channelMeans);
      grads.x = g.defer("dx", x.shape, made, x.dtype);
    }
    return grads;
  },
});
