/**
 * Convolutions for the tuner, with their neighbours in the network: a variant that normalises x while
 * it loads saves a pass over memory, and one that leaves moments saves another.
 */

import type { BackwardProblem, ForwardProblem, Geometry } from "../../../kernels/conv3d/contract";
import { groupNorm } from "../../../kernels/norm/group_norm";
import type { Op, Tensors } from "../../core/op";
import { conv3dElement } from "../../reference/conv3d";
import { type Cursor, type Lookups, written } from "../../reference/element";
import { statistic } from "../../reference/normalised";
import { defineTrial, type Trial } from "../trial";
import {
  groupsOf,
  normalisedCursor,
  normalisedTensor,
  normFills,
  normGradientCursor,
  normGradientInputs,
  normGradientTensor,
  normInputs,
} from "./after_norm";
import { rounded, roundingOfHalves } from "./rounding";

const EPS = 1e-5;
const volume = ({ N, D, H, W }: Geometry, channels: number) => [N, channels, D, H, W];
const weights = ({ CIN, COUT, K }: Geometry) => [COUT, CIN, K, K, K];
/** The variant on subgroup matrices multiplies with weights in f16. */
const roundedWeights = ({ F16 }: { readonly F16: number }) => (F16 ? ["w"] : []);
const fill = { ...normFills("x", "x"), ...normFills("dy", "dy_of") };

interface Attrs {
  readonly moments?: boolean;
}
const convolution = (op: Op<never>) => op as unknown as Op<Attrs>;

function inputOf(values: Lookups, problem: Geometry & { readonly NORM: number }): Cursor {
  if (!problem.NORM) return written(values.x!);
  return normalisedCursor("x", values, volume(problem, problem.CIN));
}

const shapesOf = (problem: Geometry) => ({
  x: volume(problem, problem.CIN),
  w: weights(problem),
});

const forward: Trial<ForwardProblem> = {
  batch: "N",
  fill: normFills("x", "x"),
  halves: ({ F16 }) => (F16 ? ["x"] : []),
  rounds: roundedWeights,
  inputs(problem) {
    const x = volume(problem, problem.CIN);
    const input = problem.NORM ? normInputs("x", x) : { x };
    return { ...input, w: weights(problem), b: [problem.COUT] };
  },
  record(g, op, inputs, { NORM, MOMENTS, COUT }): Tensors {
    const [w, b] = [inputs.w!, inputs.b!];
    const x = NORM ? normalisedTensor(g, "x", inputs) : inputs.x!;
    const { y, moments } = g.apply(convolution(op), { x, w, b }, { moments: MOMENTS === 1 });
    if (!MOMENTS) return { y: y! };
    const attrs = { groups: groupsOf(COUT), eps: EPS, relu: true, moments };
    const { stats } = g.apply(groupNorm, { x: y!, weight: b, bias: b }, attrs);
    return { y: y!, stats: stats! };
  },
  derived: ["stats"],
  exact(values, problem, output, i) {
    const { D, H, W, COUT, NORM, F16 } = problem;
    const half = F16 === 1;
    if (output === "stats") {
      // y is what is stored; kernels may take it as it was before.
      const perGroup = (COUT / groupsOf(COUT)) * D * H * W;
      const { bound, size, ...found } = statistic(values.y!, { perGroup, eps: EPS }, i);
      return { ...found, bound: bound + (half ? roundingOfHalves(perGroup) * size : 0) };
    }
    const cursors = { x: inputOf(values, problem), w: written(values.w!), b: written(values.b!) };
    const found = conv3dElement(output, i, cursors, shapesOf(problem));
    return rounded(found, { norm: NORM === 1, half });
  },
};

const across = (problem: Geometry) => ({ ...problem, CIN: problem.COUT, COUT: problem.CIN });

/** dw and, where it is wanted, dx: some variants share work between them. */
const weightGradient: Trial<BackwardProblem> = {
  batch: "N",
  fill,
  halves: ({ F16 }) => (F16 ? ["x", "dy", "dy_of"] : []),
  rounds: roundedWeights,
  inputs(problem) {
    const { CIN, COUT, NORM, NORM_DY } = problem;
    const [x, dy] = [volume(problem, CIN), volume(problem, COUT)];
    return {
      ...(NORM ? normInputs("x", x) : { x }),
      ...(NORM_DY ? normGradientInputs("dy", dy) : { dy }),
      w: weights(problem),
    };
  },
  record(g, op, inputs, { NORM, NORM_DY, DX }) {
    const w = inputs.w!;
    const x = NORM ? normalisedTensor(g, "x", inputs) : inputs.x!;
    const dy = NORM_DY ? normGradientTensor(g, "dy", inputs) : inputs.dy!;
    const needs = new Set(DX ? ["x", "w"] : ["w"]);
    // The gradient of the biases has no variants, and is not asked for.
    const call = { inputs: { x, w, b: w }, outputs: {}, attrs: {}, needs };
    const grads = convolution(op).backward!(g, call, { y: dy });
    return { dw: grads.w!, ...(DX && { dx: grads.x! }) };
  },
  exact(values, problem, output, i) {
    const { COUT, NORM, NORM_DY, F16 } = problem;
    const dy = NORM_DY
      ? normGradientCursor("dy", values, volume(problem, COUT))
      : written(values.dy!);
    const cursors = { x: inputOf(values, problem), w: written(values.w!), dy };
    const found = conv3dElement(output, i, cursors, shapesOf(problem));
    const norm = output === "dw" ? NORM + NORM_DY > 0 : NORM_DY === 1;
    return rounded(found, { norm, half: F16 === 1 });
  },
};

/** The same, told from the side of the input: CIN are the channels of dy. */
const inputGradient: Trial<BackwardProblem> = {
  ...weightGradient,
  inputs: (problem) => weightGradient.inputs({ ...problem, ...across(problem) }),
  record: (g, op, inputs, problem) =>
    weightGradient.record(g, op, inputs, { ...problem, ...across(problem) }),
  exact: (values, problem, output, i) =>
    weightGradient.exact(values, { ...problem, ...across(problem) }, output, i),
};

export const conv3dTrials = {
  conv3d: defineTrial(forward),
  conv3d_dx: defineTrial(inputGradient),
  conv3d_dw: defineTrial(weightGradient),
};
