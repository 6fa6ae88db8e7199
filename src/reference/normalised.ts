/**
 * Group normalisation in float64, one element at a time: its statistics, and the two maps that
 * other kernels may do while they load (kernels/norm/normalised.ts).
 */
import type { GroupNormAttrs } from "../../kernels/norm/group_norm";
import { elements, type Shape } from "../core/tensor";
import type { Cursor, Element, Lookup, Lookups } from "./element";

export type MapAttrs = Pick<GroupNormAttrs, "groups" | "relu">;

const U = 2 ** -24;

/** Mean, or 1/√(variance + eps), of a group of x, (N, C, …); `i` is of (N, groups, 2). */
export function statistic(
  x: Lookup,
  { perGroup, eps }: { readonly perGroup: number; readonly eps: number },
  i: number,
): Element {
  const first = Math.floor(i / 2) * perGroup;
  let [sum, absolute] = [0, 0];
  for (let k = first; k < first + perGroup; k++) {
    const value = x(k);
    sum += value;
    absolute += Math.abs(value);
  }
  const mean = sum / perGroup;
  const size = absolute / perGroup;
  const terms = perGroup;
  if (i % 2 === 0) return { value: mean, size, terms, bound: 16 * U * size };
  let squares = 0;
  for (let k = first; k < first + perGroup; k++) squares += (x(k) - mean) ** 2;
  const value = 1 / Math.sqrt(squares / perGroup + eps);
  // x − mean loses what the mean is larger than the spread.
  const loss = (1 + size * value) * value;
  return { value, size: loss, terms, bound: 16 * U * loss };
}

/** Mean, 1/deviation, scale and shift where an element of a tensor of `shape` lies. */
function normAt(
  { stats, weight, bias }: Lookups<"stats" | "weight" | "bias">,
  [, C = 1, ...space]: Shape,
  groups: number,
) {
  const S = elements(space);
  const at = { group: 0, mean: 0, rstd: 1, scale: 1, shift: 0 };
  return (i: number) => {
    const c = Math.floor(i / S) % C;
    at.group = Math.floor(i / (C * S)) * groups + Math.floor((c * groups) / C);
    at.mean = stats(2 * at.group);
    at.rstd = stats(2 * at.group + 1);
    at.scale = at.rstd * weight(c);
    at.shift = bias(c);
    return at;
  };
}

/** y, from x and the statistics. */
export function normalised(
  { x, ...rest }: Lookups<"x" | "stats" | "weight" | "bias">,
  shape: Shape,
  { groups, relu }: MapAttrs,
): Cursor {
  const norm = normAt(rest, shape, groups);
  return {
    value: 0,
    size: 0,
    at(i) {
      const { mean, scale, shift } = norm(i);
      const scaled = (x(i) - mean) * scale;
      this.value = relu ? Math.max(scaled + shift, 0) : scaled + shift;
      this.size = Math.abs(scaled) + Math.abs(shift);
    },
  };
}

/** dx, from dy, the statistics and `means`, (N, groups, 2): of w dy and w dy x̂ over each group. */
export function normGradient(
  { dy, x, means, ...rest }: Lookups<"dy" | "x" | "means" | "stats" | "weight" | "bias">,
  shape: Shape,
  { groups, relu }: MapAttrs,
): Cursor {
  const norm = normAt(rest, shape, groups);
  return {
    value: 0,
    size: 0,
    at(i) {
      const { group, mean, rstd, scale, shift } = norm(i);
      const centred = x(i) - mean;
      const passed = !relu || centred * scale + shift > 0 ? scale * dy(i) : 0;
      const constant = rstd * means(2 * group);
      const sloping = rstd * rstd * means(2 * group + 1) * centred;
      this.value = passed - constant - sloping;
      this.size = Math.abs(passed) + Math.abs(constant) + Math.abs(sloping);
    },
  };
}
