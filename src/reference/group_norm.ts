import type { GroupNormAttrs } from "../../kernels/norm/group_norm";
import { groupNorm } from "../../kernels/norm/group_norm";
import type { Shape } from "../core/tensor";
import { channelsOf, elements, makeTensor } from "../core/tensor";
import type { Shapes, Values } from "./reference";
import { defineReference, halfOut } from "./reference";

const U = 2 ** -24;

interface Normed {
  readonly mean: number;
  readonly rstd: number;
  /** Mean of |x|, for bounds. */
  readonly size: number;
}

/** Mean and 1/√(variance + eps) of each (n, group). */
function moments(x: Float64Array, shape: Shape, { groups, eps }: GroupNormAttrs): Normed[] {
  const M = x.length / (shape[0]! * groups);
  return Array.from({ length: shape[0]! * groups }, (_, ng) => {
    const values = x.subarray(ng * M, (ng + 1) * M);
    const average = (f: (v: number) => number) => values.reduce((sum, v) => sum + f(v), 0) / M;
    const mean = average((v) => v);
    const variance = average((v) => (v - mean) ** 2);
    return { mean, rstd: 1 / Math.sqrt(variance + eps), size: average(Math.abs) };
  });
}

/** Calls `visit` with each element, its channel, its group and the normalised value. */
function forEachElement(
  x: Float64Array,
  shape: Shape,
  attrs: GroupNormAttrs,
  visit: (i: number, c: number, group: number, xhat: number, of: Normed) => void,
): void {
  const all = moments(x, shape, attrs);
  const [, C = 1, ...space] = shape;
  const S = elements(space);
  for (let i = 0; i < x.length; i++) {
    const group = Math.floor(i / ((C / attrs.groups) * S));
    const of = all[group]!;
    visit(i, Math.floor(i / S) % C, group, (x[i]! - of.mean) * of.rstd, of);
  }
}

function forward({ x, weight, bias }: Values, shapes: Shapes, attrs: GroupNormAttrs): Values {
  const y = new Float64Array(x!.length);
  forEachElement(x!, shapes.x!, attrs, (i, c, _group, xhat) => {
    const v = xhat * weight![c]! + bias![c]!;
    y[i] = attrs.relu ? Math.max(v, 0) : v;
  });
  const stats = moments(x!, shapes.x!, attrs).flatMap(({ mean, rstd }) => [mean, rstd]);
  return { y, stats: Float64Array.from(stats) };
}

/**
 * The gradients, or with `absolute` the same sums over the absolute values of their terms: what
 * rounding errors are measured against (those of x̂ are of order 1, however small it is).
 */
function backward(
  { x, weight, bias }: Values,
  shapes: Shapes,
  attrs: GroupNormAttrs,
  dy: Float64Array,
  absolute = false,
): Values {
  const shape = shapes.x!;
  const term = absolute ? Math.abs : (v: number) => v;
  const M = x!.length / (shape[0]! * attrs.groups);
  const d = new Float64Array(x!.length);
  const dweight = new Float64Array(weight!.length);
  const dbias = new Float64Array(weight!.length);
  const means = new Float64Array(shape[0]! * attrs.groups);
  const meansX = new Float64Array(means.length);
  forEachElement(x!, shape, attrs, (i, c, group, xhat) => {
    d[i] = attrs.relu && xhat * weight![c]! + bias![c]! <= 0 ? 0 : dy[i]!;
    const factor = absolute ? 1 + Math.abs(xhat) : xhat;
    dbias[c]! += term(d[i]!);
    dweight[c]! += term(d[i]! * factor);
    means[group]! += term(weight![c]! * d[i]!) / M;
    meansX[group]! += term(weight![c]! * d[i]! * factor) / M;
  });
  const dx = new Float64Array(x!.length);
  forEachElement(x!, shape, attrs, (i, c, group, xhat, { rstd }) => {
    const factor = absolute ? 1 + Math.abs(xhat) : xhat;
    const parts = [weight![c]! * d[i]!, -means[group]!, -factor * meansX[group]!];
    dx[i] = rstd * parts.reduce((sum, v) => sum + term(v), 0);
  });
  return { x: dx, weight: dweight, bias: dbias };
}

function bound(
  name: string,
  inputs: Values,
  shapes: Shapes,
  attrs: GroupNormAttrs,
  dys?: Values,
): Float64Array {
  const { x, weight, bias } = inputs;
  const all = moments(x!, shapes.x!, attrs);
  // x − mean loses what the mean is larger than the spread.
  const loss = all.map(({ size, rstd }) => 1 + size * rstd);
  if (name === "stats") {
    return Float64Array.from(
      all.flatMap(({ size, rstd }, group) => [16 * U * size, 16 * U * rstd * loss[group]!]),
    );
  }
  if (name === "y") {
    const y = new Float64Array(x!.length);
    forEachElement(x!, shapes.x!, attrs, (i, c, group, xhat) => {
      const spread = (loss[group]! + Math.abs(xhat)) * Math.abs(weight![c]!);
      y[i] = 16 * U * (spread * (1 + Math.abs(xhat) * loss[group]! * 0.1) + Math.abs(bias![c]!));
    });
    return y;
  }
  const terms = backward(inputs, shapes, attrs, dys!.y!, true)[name.slice(1)]!;
  return terms.map((sum) => 64 * U * Math.max(...loss) * sum);
}

function inputsOf(...x: readonly number[]): Record<string, Shape> {
  return { x, weight: [x[1]!], bias: [x[1]!] };
}

export const groupNormReference = defineReference<GroupNormAttrs>({
  op: groupNorm,
  f16: { inputs: ["x"], attrs: halfOut },
  scalable: ["x"],
  sized: [
    {
      base: { N: 1, G: 2, CG: 2, D: 1, H: 1, W: 15 },
      edges: { N: [2], G: [3], CG: [4], H: [2], W: [4, 64, 256, 1024, 4096] },
      make: ({ N = 0, G = 0, CG = 0, D = 0, H = 0, W = 0 }) => ({
        inputs: inputsOf(N, G * CG, D, H, W),
        attrs: { groups: G, eps: 1e-5, relu: true },
      }),
    },
  ],
  cases: [
    {
      id: "c4g2_odd",
      inputs: inputsOf(2, 4, 3, 5, 7),
      attrs: { groups: 2, eps: 1e-5, relu: true },
    },
    {
      id: "c6g3_far_mean",
      inputs: inputsOf(1, 6, 8, 8, 8),
      attrs: { groups: 3, eps: 1e-5, relu: false },
    },
    {
      id: "c3g1_large",
      inputs: inputsOf(1, 3, 9, 8, 10),
      attrs: { groups: 1, eps: 1e-3, relu: true },
    },
    {
      id: "c5g5_views",
      inputs: inputsOf(3, 5, 2, 3, 3),
      attrs: {
        ...{ groups: 5, eps: 1e-5, relu: true },
        out: channelsOf(makeTensor("base", [3, 9, 2, 3, 3]), 3, 5),
      },
      views: { dy: { first: 1, total: 8 } },
    },
    {
      id: "c4g2_views",
      inputs: inputsOf(2, 4, 8, 8, 8),
      attrs: {
        ...{ groups: 2, eps: 1e-5, relu: true },
        out: channelsOf(makeTensor("base", [2, 7, 8, 8, 8]), 2, 4),
      },
      views: { dy: { first: 1, total: 6 } },
    },
    {
      id: "c4g2_n19",
      inputs: inputsOf(19, 4, 2, 3, 3),
      attrs: { groups: 2, eps: 1e-5, relu: true },
    },
    {
      id: "constant",
      inputs: inputsOf(1, 2, 2, 2, 2),
      attrs: { groups: 2, eps: 1e-2, relu: false },
    },
  ],
  data(c, rng): Partial<Values> {
    const fill = (value: () => number) =>
      Float64Array.from({ length: elements(c.inputs.x!) }, value);
    if (c.id === "constant") return { x: fill(() => 0.1) };
    return c.id === "c6g3_far_mean" ? { x: fill(() => 1000 + rng.normal()) } : {};
  },
  forward,
  backward: (inputs, shapes, attrs, { y: dy }) => backward(inputs, shapes, attrs, dy!),
  bound,
  parameters: ["weight", "bias"],
});
