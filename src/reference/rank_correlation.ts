import { NO_CORRELATION, rankCorrelation } from "../../kernels/mining/rank_correlation";
import type { Shape } from "../core/tensor";
import { defineReference } from "./reference";

/** Ranks from 1 on; equal values share the mean of theirs. */
function ranks(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return values.map((v) => (sorted.indexOf(v) + sorted.lastIndexOf(v)) / 2 + 1);
}

export function spearman(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (a.length + 1) / 2;
  const product = (u: readonly number[], v: readonly number[]) =>
    u.reduce((sum, r, i) => sum + (r - mean) * (v[i]! - mean), 0);
  const size = Math.sqrt(product(x, x) * product(y, y));
  return size === 0 ? NO_CORRELATION : product(x, y) / size;
}

const pair = (n: number): Record<string, Shape> => ({ a: [n], b: [n] });

export const rankCorrelationReference = defineReference({
  op: rankCorrelation,
  cases: [
    { id: "odd_77", inputs: pair(77), attrs: {} },
    { id: "ties_131", inputs: pair(131), attrs: {} },
    { id: "alike_300", inputs: pair(300), attrs: {} },
    { id: "constant_9", inputs: pair(9), attrs: {} },
    { id: "one_1", inputs: pair(1), attrs: {} },
    { id: "at_61", inputs: { a: [130], b: [61], at: [61] }, attrs: {} },
  ],
  types: { at: "u32" },
  data(c, rng) {
    const draw = (n: number) =>
      Float64Array.from({ length: n }, () => {
        if (c.id.startsWith("constant")) return 3;
        return Math.fround(c.id.startsWith("ties") ? rng.int(5) / 5 : rng.normal());
      });
    const [a, b] = [draw(c.inputs.a![0]!), draw(c.inputs.b![0]!)];
    if (c.id.startsWith("alike")) b.set(b.map((v, i) => Math.fround(v / 4 - a[i]!)));
    const at = c.inputs.at && Float64Array.from({ length: b.length }, () => rng.int(a.length));
    return { a, b, ...(at && { at }) };
  },
  forward({ a, b, at }) {
    const picked = at ? [...at].map((i) => a![i]!) : [...a!];
    return { y: Float64Array.of(spearman(picked, [...b!])) };
  },
  // Ranks are whole numbers; sums of up to some hundred products of them, two roots, a division.
  bound: () => 16 * 2 ** -24,
});
