/** Kernels for the gradients of a convolution's weights and biases. */
import dbWgsl from "../../shaders/conv3d/conv3d_db.wgsl" with { type: "text" };
import naiveWgsl from "../../shaders/conv3d/conv3d_naive_dw.wgsl" with { type: "text" };
import normDbWgsl from "../../shaders/conv3d/conv3d_norm_db.wgsl" with { type: "text" };
import plainWgsl from "../../shaders/conv3d/conv3d_plain_dw.wgsl" with { type: "text" };
import subgroupWgsl from "../../shaders/conv3d/conv3d_subgroup_dw.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import type { Tensor } from "../../src/core/tensor";
import { channelLayout, elements } from "../../src/core/tensor";
import type { NormGradient } from "../norm/normalised";
import { normGradientOf } from "../norm/normalised";
import { partialSumLanes, partialSumSplits } from "../partial_sums";
import { emitSumOfParts } from "../sum_parts";
import { byVectorWidth, vectorWidth } from "../vector_width";
import { BLOCKS, blockedWeightParts, blockName, blockSupported } from "./blocked";
import {
  directFlops,
  EVERYWHERE,
  type Geometry,
  type GradientTensors,
  type WeightGradientVariant,
} from "./contract";
import { matrixGradients } from "./matrix_dw";
import { emitPointWeightParts, pointFits } from "./point";
import {
  emitWinogradBackward,
  emitWinogradWeightGradient,
  type WinogradKind,
  winogradLanes,
  winogradQuads,
} from "./winograd";

const naive = defineKernel({
  name: "conv3d_naive_dw",
  source: naiveWgsl,
  bindings: { x: "read", dy: "read", dw: "read_write" },
  views: ["x"],
  storage: { X: ["x"], Y: ["dy"] },
  grid: (c) => grid1d(num(c, "COUT") * num(c, "CIN") * num(c, "K") ** 3, num(c, "WG")),
  flops: directFlops,
});

function emitNaive(g: Graph, t: GradientTensors, geometry: Geometry, ACCUMULATE: boolean): void {
  const { x, dy, dw } = t;
  g.emit(naive, { x, dy, dw }, { ...geometry, ...channelLayout(x), ACCUMULATE, WG: 64 });
}

const plain = defineKernel({
  name: "conv3d_plain_dw",
  source: plainWgsl,
  bindings: { x: "read", dy: "read", parts: "read_write" },
  views: ["x"],
  grid: (c) => {
    const blocks = Math.ceil(num(c, "COUT") / 8);
    return grid1d(num(c, "CIN") * num(c, "K") * blocks * num(c, "SPLITS"), num(c, "WG"));
  },
  flops: directFlops,
});

/** Enough partial sums that this many threads have work, but no more than there are planes. */
const THREADS = 8192;

function emitPlain(g: Graph, t: GradientTensors, geometry: Geometry, accumulate: boolean): void {
  const { N, CIN, COUT, D, K } = geometry;
  const threads = CIN * K * Math.ceil(COUT / 8);
  const SPLITS = Math.min(N * D, Math.ceil(THREADS / threads));
  const parts = g.tensor("dw_partial", [SPLITS, COUT, CIN, K, K, K]);
  const tile = { SPLITS, WG: 64 };
  const { x, dy, dw } = t;
  g.emit(plain, { x, dy, parts }, { ...geometry, ...channelLayout(x), ...tile });
  emitSumOfParts(g, parts, dw, accumulate);
}

/** The subgroup size that conv3d_subgroup_dw.wgsl is written for, and its kernel lines. */
const LANES = 8;
const LINES = 4;

function subgroupTasks(CIN: number, COUT: number, K: number): number {
  return Math.ceil((CIN * K) / LINES) * Math.ceil(COUT / LANES);
}

const subgroup = defineKernel({
  name: "conv3d_subgroup_dw",
  source: subgroupWgsl,
  subgroups: true,
  bindings: { x: "read", dy: "read", parts: "read_write" },
  views: ["x"],
  grid: (c) => {
    const tasks = subgroupTasks(num(c, "CIN"), num(c, "COUT"), num(c, "K"));
    return grid1d(tasks * num(c, "SPLITS"), 1);
  },
  flops: directFlops,
});

/** Enough for the cores of a software adapter to finish together. */
const SUBGROUPS = 128;

function emitSubgroup(g: Graph, t: GradientTensors, geometry: Geometry, accumulate: boolean): void {
  const { N, CIN, COUT, D, K } = geometry;
  const SPLITS = Math.min(N * D, Math.ceil(SUBGROUPS / subgroupTasks(CIN, COUT, K)));
  const parts = g.tensor("dw_partial", [SPLITS, COUT, CIN, K, K, K]);
  const { x, dy, dw } = t;
  g.emit(subgroup, { x, dy, parts }, { ...geometry, ...channelLayout(x), SPLITS });
  emitSumOfParts(g, parts, dw, accumulate);
}

/** conv3d_point_dw takes the unwritten output of a norm for x, but dy in memory. */
function emitPointWeights(
  g: Graph,
  { x, dy, dw }: GradientTensors,
  geometry: Geometry,
  accumulate: boolean,
): void {
  emitSumOfParts(
    g,
    emitPointWeightParts(g, { x, dy: g.materialise(dy) }, geometry),
    dw,
    accumulate,
  );
}

/** conv3d_blocked_dw does too. */
const blockedGradients: readonly WeightGradientVariant[] = BLOCKS.map((block) => ({
  name: blockName(block),
  supported: (caps) => blockSupported(block, caps),
  fits: ({ K }) => K === 3,
  fuses: true,
  f16: true,
  emit(g, { x, dy, dw }, geometry, accumulate) {
    const parts = blockedWeightParts(g, { x, dy: g.materialise(dy) }, geometry, block);
    emitSumOfParts(g, parts, dw, accumulate);
  },
}));

const winograd = (name: string, kind: WinogradKind): WeightGradientVariant => ({
  name,
  supported: kind.supported,
  slowOn: ["hardware"],
  fits: kind.fits,
  fuses: true,
  emit: emitWinogradWeightGradient(kind),
  both: emitWinogradBackward(kind),
});

export const weightGradientVariants: readonly WeightGradientVariant[] = [
  {
    name: "point",
    supported: () => true,
    fits: pointFits,
    fuses: true,
    f16: true,
    emit: emitPointWeights,
  },
  winograd("winograd", winogradLanes),
  winograd("winograd_quad", winogradQuads),
  { name: "subgroup", supported: (caps) => caps.subgroupSize === LANES, emit: emitSubgroup },
  { name: "plain", supported: () => true, emit: emitPlain },
  ...blockedGradients,
  ...matrixGradients,
  { name: "naive", supported: () => true, slowOn: EVERYWHERE, f16: true, emit: emitNaive },
];

const bias = byVectorWidth(
  defineKernel({
    name: "conv3d_db",
    source: dbWgsl,
    bindings: { dy: "read", parts: "read_write" },
    storage: { V: ["dy"] },
    grid: (c) => grid1d(product(c, "ROWS", "SPLITS"), 1),
    flops: (c) => product(c, "ROWS", "S"),
  }),
);

const normBias = defineKernel({
  name: "conv3d_norm_db",
  source: normDbWgsl,
  bindings: {
    ...{ sums: "read", stats: "read", means: "read", weight: "read", channel_means: "read" },
    db: "read_write",
  },
  args: ["N", "C", "CG", "S"],
  grid: (c) => grid1d(product(c, "C", "LANES"), num(c, "WG")),
});

/** The same where dy is the gradient through a normalisation that knows its channels' means. */
function emitNormBiasGradient(
  g: Graph,
  { inputs: { sums, stats, means, weight, x }, groups }: NormGradient,
  channelMeans: Tensor,
  db: Tensor,
  ACCUMULATE: boolean,
): void {
  const [N = 0, C = 0, ...space] = x.shape;
  const tensors = { sums, stats, means, weight, channel_means: channelMeans, db };
  const args = { N, C, CG: C / groups, S: elements(space) };
  g.emit(normBias, tensors, { ACCUMULATE, LANES: partialSumLanes(N, g.caps), WG: 64 }, args);
}

/** Vectors of a part of the bias gradient, where there are parts. */
const BIAS_PART = 512;

/** db[co] = Σ_{n, voxels} dy; dy: (N, COUT, D, H, W). */
export function emitBiasGradient(g: Graph, given: Tensor, db: Tensor, accumulate: boolean): void {
  const norm = normGradientOf(given);
  if (norm?.channelMeans) {
    emitNormBiasGradient(g, norm, norm.channelMeans, db, accumulate);
    return;
  }
  const dy = g.materialise(given);
  const [N = 0, COUT = 0, ...space] = dy.shape;
  const WIDTH = vectorWidth(elements(space));
  const S = elements(space) / WIDTH;
  const SPLITS = partialSumSplits(S, BIAS_PART, g.caps);
  const parts = g.tensor("db_partial", [N * SPLITS, COUT]);
  const WG = SPLITS > 1 ? 256 : 64;
  g.emit(bias(WIDTH), { dy, parts }, { ROWS: N * COUT, COUT, S, SPLITS, WIDTH, WG });
  emitSumOfParts(g, parts, db, accumulate);
}
