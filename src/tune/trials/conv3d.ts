/**
 * Convolutions for the tuner, with their neighbours in the network: a variant that normalises x while
 * it loads saves a pass over memory, and one that leaves moments saves another.
 */

import type { BackwardProblem, ForwardProblem, Geometry } from "../../../kernels/conv3d/contract";
import { groupNorm } from "../../../kernels/norm/group_norm";
import type { Op, Tensors } from "../../core/op";
import { defineTrial, type Trial, type Values } from "../trial";
import {
  groupsOf,
  normalisedRead,
  normalisedTensor,
  normFills,
  normGradientInputs,
  normGradientRead,
  normGradientTensor,
  normInputs,
  type Read,
  written,
} from "./after_norm";
import { exactStatistic, exactVoxel, exactWeight } from "./conv3d_exact";

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

function inputOf(values: Values, problem: Geometry & { readonly NORM: number }): Read {
  if (!problem.NORM) return written(values.x!);
  return normalisedRead("x", values, volume(problem, problem.CIN));
}

const forward: Trial<ForwardProblem> = {
  batch: "N",
  kind: ["K"],
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
    if (output === "stats") {
      const perGroup = (COUT / groupsOf(COUT)) * D * H * W;
      return exactStatistic(values.y!, { perGroup, eps: EPS, half: F16 === 1 }, i);
    }
    const factors = { x: inputOf(values, problem), w: values.w!, b: values.b! };
    return exactVoxel(factors, problem, i, { norm: NORM === 1, half: F16 === 1 });
  },
};

const across = (problem: Geometry) => ({ ...problem, CIN: problem.COUT, COUT: problem.CIN });

/** dw and, where it is wanted, dx: some variants share work between them. */
const weightGradient: Trial<BackwardProblem> = {
  batch: "N",
  kind: ["K"],
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
    const half = F16 === 1;
    const dy = NORM_DY
      ? normGradientRead("dy", values, volume(problem, COUT))
      : written(values.dy!);
    if (output === "dw") {
      const factors = { x: inputOf(values, problem), dy };
      return exactWeight(factors, problem, i, { norm: NORM + NORM_DY > 0, half });
    }
    return exactVoxel({ x: dy, w: values.w! }, across(problem), i, { norm: NORM_DY === 1, half });
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
