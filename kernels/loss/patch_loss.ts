/**
 * The losses of segmentation that are sums over a patch, as one op: Dice (Milletari et al. 2016),
 * Tversky (Salehi et al. 2017) and focal Tversky (Abraham & Khan 2019), each per patch or over the
 * batch; cross-entropy and focal loss (Lin et al. 2017); and weighted sums of a region and a voxel term.
 */
import wgsl from "../../shaders/loss/patch_loss.wgsl" with { type: "text" };
import dxWgsl from "../../shaders/loss/patch_loss_dx.wgsl" with { type: "text" };
import sumsWgsl from "../../shaders/loss/patch_sums.wgsl" with { type: "text" };
import { type Consts, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape, type Tensor } from "../../src/core/tensor";
import { partialSumSplits } from "../partial_sums";
import { byVectorWidth, vectorWidth } from "../vector_width";

const sumsKernel = byVectorWidth(
  defineKernel({
    name: "patch_sums",
    source: sumsWgsl,
    bindings: { logits: "read", labels: "read", parts: "read_write" },
    args: ["N", "S", "SPLITS"],
    grid: (c) => grid1d(product(c, "N", "SPLITS"), 1),
    flops: (c) => 8 * product(c, "N", "S"),
  }),
);

/** Vectors of a part of a patch, where there are parts. */
const PART = 512;

const valueKernel = defineKernel({
  name: "patch_loss",
  source: wgsl,
  bindings: {
    ...{ parts: "read", totals: "read" },
    ...{ loss: "read_write", sums: "read_write", terms: "read_write" },
  },
  args: ["N", "S", "SPLITS"],
  grid: (c) => grid1d(num(c, "N"), 1),
});

const dxKernel = defineKernel({
  name: "patch_loss_dx",
  source: dxWgsl,
  bindings: { logits: "read", labels: "read", terms: "read", dloss: "read", dx: "read_write" },
  args: ["N", "S", "CHUNKS"],
  grid: (c) => grid1d(num(c, "N") * num(c, "CHUNKS"), 1),
  flops: (c) => 8 * product(c, "N", "S"),
});

const DX_WG = 64;
const DX_VPT = 8;

/** Numbers of a patch that its loss follows from: Σpy, Σp(1 − y), Σ(1 − p)y, Σ voxel losses. */
export const TERMS = 4;

/**
 * weight · (u / (2·TP + u + ε))^power, u = falsePositive · FP + falseNegative · FN, where TP, FP and FN
 * are soft counts: Σpy, Σp(1 − y) and Σ(1 − p)y.
 */
export interface RegionTerm {
  readonly weight: number;
  /** 1 for Dice, 2α for Tversky. */
  readonly falsePositive: number;
  /** 1 for Dice, 2β for Tversky. */
  readonly falseNegative: number;
  /** Decides what an empty patch costs, voxels. */
  readonly epsilon: number;
  /** 1, or 1/γ for focal Tversky. */
  readonly power: number;
}

/**
 * weight · mean over the voxels of −positive · y(1 − p)^γ · log p − negative · (1 − y)p^γ · log(1 − p).
 */
export interface VoxelTerm {
  readonly weight: number;
  readonly positive: number;
  readonly negative: number;
  /** 0 for cross-entropy. */
  readonly gamma: number;
}

export interface PatchLossAttrs {
  readonly region?: RegionTerm;
  readonly voxels?: VoxelTerm;
  /** Weight of FP + FN, voxels: an error for ranking rather than a loss. */
  readonly errors?: number;
  /** Patches that `totals` are the sums of; given together with them. */
  readonly batch?: number;
}

/** The Dice loss of each patch, 1 − (2Σpy + ε)/(Σp + Σy + ε). */
export function dice(epsilon: number): { readonly region: RegionTerm } {
  return { region: { weight: 1, falsePositive: 1, falseNegative: 1, epsilon, power: 1 } };
}

/** What one voxel costs. */
function voxelConsts({ voxels }: PatchLossAttrs) {
  const { positive = 1, negative = 1, gamma = 0 } = voxels ?? {};
  return { POSITIVE: positive, NEGATIVE: negative, GAMMA: gamma } satisfies Consts;
}

/** What the sums over a patch cost. */
function lossConsts(attrs: PatchLossAttrs, overBatch: boolean) {
  const { region, voxels, errors = 0, batch = 1 } = attrs;
  const { weight = 0, falsePositive = 1, falseNegative = 1, epsilon = 1, power = 1 } = region ?? {};
  return {
    ...{ REGION: weight, W_FP: falsePositive, W_FN: falseNegative, EPSILON: epsilon },
    ...{ POWER: power, VOXELS: voxels?.weight ?? 0, ERRORS: errors },
    ...{ OVER_BATCH: overBatch, BATCH: batch },
  } satisfies Consts;
}

function checkShapes(logits?: Tensor, target?: Tensor, totals?: Tensor, batch?: number): void {
  if (!logits || !target || showShape(logits.shape) !== showShape(target.shape)) {
    throw new Error(
      `patchLoss: logits are ${showShape(logits!.shape)}, target is ` +
        `${showShape(target!.shape)}; expected equal`,
    );
  }
  if (!totals !== (batch === undefined) || (totals && elements(totals.shape) !== TERMS)) {
    throw new Error(
      `patchLoss: totals are ${totals ? showShape(totals.shape) : "absent"}, batch is ${batch}; ` +
        `expected both or neither, totals of ${TERMS} elements`,
    );
  }
}

/**
 * Loss of each patch. logits, target (0 to 1): (N, 1, D, H, W). loss: (N); sums: (N, 3) = Σpy, Σp, Σy;
 * terms: (N, TERMS). Only `loss` has a gradient, only `logits` receives one; it is finite wherever the
 * logits are.
 *
 * With `totals`, the column sums of the terms of a batch of `batch` patches, the region is the whole
 * batch. Its F(T), T = (TP, FP, FN, ε), is homogeneous of degree 0, so with the patch's own part Tₙ of T
 * (and ε/batch) F(T) + batch · ∂F(T)·Tₙ has the mean F(T) over the batch, by Euler's theorem; and,
 * totals held, the gradient of that mean is F's own. So a batch can be trained in pieces, exactly.
 */
export const patchLoss = defineOp<PatchLossAttrs>({
  name: "patchLoss",
  forward(g, { logits, target, totals }, attrs) {
    checkShapes(logits, target, totals, attrs.batch);
    const [N = 1, ...rest] = logits!.shape;
    const loss = g.tensor("loss", [N]);
    const sums = g.tensor("loss_sums", [N, 3]);
    const terms = g.tensor("loss_terms", [N, TERMS]);
    const WIDTH = vectorWidth(elements(rest));
    const vectors = elements(rest) / WIDTH;
    const SPLITS = partialSumSplits(vectors, PART, g.caps);
    const parts = g.tensor("loss_parts", [N, SPLITS, TERMS + 1]);
    const voxels = { ...voxelConsts(attrs), VOXELS: Boolean(attrs.voxels?.weight) };
    g.emit(
      sumsKernel(WIDTH),
      { logits: logits!, labels: target!, parts },
      { ...voxels, WIDTH, WG: 256 },
      { N, S: vectors, SPLITS },
    );
    g.emit(
      valueKernel,
      { parts, totals: totals ?? parts, loss, sums, terms },
      { ...lossConsts(attrs, totals !== undefined), WG: 32 },
      { N, S: elements(rest), SPLITS },
    );
    return { loss, sums, terms };
  },
  backward(g, { inputs, outputs, attrs }, { loss: dloss }) {
    if (!dloss) throw new Error("patchLoss: only the output loss is differentiable");
    const { logits, target, totals } = inputs;
    const [N = 1, ...rest] = logits!.shape;
    const S = elements(rest);
    const { tensor: dx, accumulate } = g.into(logits!);
    g.emit(
      dxKernel,
      { logits: logits!, labels: target!, terms: totals ?? outputs.terms!, dloss, dx },
      {
        ...{ ...lossConsts(attrs, totals !== undefined), ...voxelConsts(attrs) },
        ...{ ACCUMULATE: accumulate, WG: DX_WG, VPT: DX_VPT },
      },
      { N, S, CHUNKS: Math.ceil(S / (DX_WG * DX_VPT)) },
    );
    return { logits: dx };
  },
});
