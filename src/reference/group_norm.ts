import type { GroupNormAttrs } from "../../kernels/norm/group_norm";
import { groupNorm } from "../../kernels/norm/group_norm";
import type { Shape } from "../core/tensor";
import { channelsOf, elements, makeTensor } from "../core/tensor";
import type { Cursor, Element, Lookup } from "./element";
import { type MapAttrs, normalised, normGradient, statistic } from "./normalised";
import type { Shapes, Values } from "./reference";
import { defineReference, halfOut } from "./reference";

const U = 2 ** -24;

const lookup =
  (array: Float64Array): Lookup =>
  (i) =>
    array[i]!;

/** What `cursor` gives for each element of a tensor. */
function whole(cursor: Cursor, shape: Shape): Float64Array {
  const found = new Float64Array(elements(shape));
  for (let i = 0; i < found.length; i++) {
    cursor.at(i);
    found[i] = cursor.value;
  }
  return found;
}

/** Mean and 1/√(variance + eps) of each (n, group). */
function statisticsOf(x: Float64Array, shape: Shape, { groups, eps }: GroupNormAttrs): Element[] {
  const count = shape[0]! * groups;
  const sizes = { perGroup: x.length / count, eps };
  return Array.from({ length: 2 * count }, (_, i) => statistic(lookup(x), sizes, i));
}

function inputsWith({ x, weight, bias }: Values, shape: Shape, attrs: GroupNormAttrs) {
  const stats = Float64Array.from(statisticsOf(x!, shape, attrs), ({ value }) => value);
  const [X, W, B] = [lookup(x!), lookup(weight!), lookup(bias!)];
  return { stats, lookups: { x: X, stats: lookup(stats), weight: W, bias: B } };
}

function forward(inputs: Values, shapes: Shapes, attrs: GroupNormAttrs): Values {
  const { stats, lookups } = inputsWith(inputs, shapes.x!, attrs);
  return { y: whole(normalised(lookups, shapes.x!, attrs), shapes.x!), stats };
}

/** Calls `visit` with each element, its channel, its group and the normalised value. */
function forEachElement(
  { x }: Values,
  stats: ArrayLike<number>,
  shape: Shape,
  { groups }: MapAttrs,
  visit: (i: number, c: number, group: number, xhat: number) => void,
): void {
  const [, C = 1, ...space] = shape;
  const S = elements(space);
  for (let i = 0; i < x!.length; i++) {
    const group = Math.floor(i / ((C / groups) * S));
    const xhat = (x![i]! - stats[2 * group]!) * stats[2 * group + 1]!;
    visit(i, Math.floor(i / S) % C, group, xhat);
  }
}

/**
 * Sums over dy: the gradients of weight and bias and the means that dx needs. With `absolute` the
 * same sums over the absolute values of their terms: rounding errors are measured against them, and
 * those of x̂ are of order 1, however small it is.
 */
function sumsOf(
  inputs: Values,
  stats: Float64Array,
  shape: Shape,
  attrs: GroupNormAttrs,
  dy: Float64Array,
  absolute = false,
) {
  const { x, weight, bias } = inputs;
  const term = absolute ? Math.abs : (v: number) => v;
  const M = x!.length / (stats.length / 2);
  const dweight = new Float64Array(weight!.length);
  const dbias = new Float64Array(weight!.length);
  const means = new Float64Array(stats.length);
  forEachElement(inputs, stats, shape, attrs, (i, c, group, xhat) => {
    const d = attrs.relu && xhat * weight![c]! + bias![c]! <= 0 ? 0 : dy[i]!;
    const factor = absolute ? 1 + Math.abs(xhat) : xhat;
    dbias[c]! += term(d);
    dweight[c]! += term(d * factor);
    means[2 * group]! += term(weight![c]! * d) / M;
    means[2 * group + 1]! += term(weight![c]! * d * factor) / M;
  });
  return { weight: dweight, bias: dbias, means };
}

function backward(
  inputs: Values,
  shapes: Shapes,
  attrs: GroupNormAttrs,
  { y: dy }: Values,
): Values {
  const shape = shapes.x!;
  const { stats, lookups } = inputsWith(inputs, shape, attrs);
  const { means, ...parameters } = sumsOf(inputs, stats, shape, attrs, dy!);
  const all = { ...lookups, dy: lookup(dy!), means: lookup(means) };
  return { x: whole(normGradient(all, shape, attrs), shape), ...parameters };
}

function bound(
  name: string,
  inputs: Values,
  shapes: Shapes,
  attrs: GroupNormAttrs,
  dys?: Values,
): Float64Array {
  const { x, weight, bias } = inputs;
  const shape = shapes.x!;
  const all = statisticsOf(x!, shape, attrs);
  if (name === "stats") return Float64Array.from(all, (statistic) => statistic.bound);
  const stats = Float64Array.from(all, ({ value }) => value);
  const rstd = (group: number) => stats[2 * group + 1]!;
  // x − mean loses what the mean is larger than the spread.
  const loss = (group: number) => 1 + all[2 * group]!.size * rstd(group);
  if (name === "y") {
    const y = new Float64Array(x!.length);
    forEachElement(inputs, stats, shape, attrs, (i, c, group, xhat) => {
      const spread = (loss(group) + Math.abs(xhat)) * Math.abs(weight![c]!);
      y[i] = 16 * U * (spread * (1 + Math.abs(xhat) * loss(group) * 0.1) + Math.abs(bias![c]!));
    });
    return y;
  }
  const dy = dys!.y!;
  const sums = sumsOf(inputs, stats, shape, attrs, dy, true);
  const most = 64 * U * all.reduce((worst, _, i) => Math.max(worst, loss(i >> 1)), 0);
  if (name !== "dx") return sums[name === "dweight" ? "weight" : "bias"].map((sum) => most * sum);
  const dx = new Float64Array(x!.length);
  forEachElement(inputs, stats, shape, attrs, (i, c, group, xhat) => {
    const passes = !attrs.relu || xhat * weight![c]! + bias![c]! > 0;
    const passed = passes ? Math.abs(weight![c]! * dy[i]!) : 0;
    const sloping = (1 + Math.abs(xhat)) * sums.means[2 * group + 1]!;
    dx[i] = most * rstd(group) * (passed + sums.means[2 * group]! + sloping);
  });
  return dx;
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
      large: { N: 4, G: 8, CG: 2, D: 32, H: 32, W: 32 },
      edges: { N: [2], G: [3], CG: [4], H: [2], W: [4, 64, 256, 1024, 4096] },
      make: ({ N = 0, G = 0, CG = 0, D = 0, H = 0, W = 0 }) => ({
        inputs: inputsOf(N, G * CG, D, H, W),
        attrs: { groups: G, eps: 1e-5, relu: true },
      }),
    },
  ],
  crowded: [
    {
      id: "65537_samples",
      inputs: inputsOf(65537, 1, 1, 1, 3),
      attrs: { groups: 1, eps: 1e-5, relu: true },
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
  backward,
  bound,
  parameters: ["weight", "bias"],
});
