import { type TopBAttrs, topB } from "../../kernels/mining/top_b";
import { defineReference } from "./reference";

/** NaN above everything; −0 is 0. */
function value(error: number): number {
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}

/** Descending, NaN first, equal ones by index. */
function order(errors: Float64Array): number[] {
  return [...errors.keys()].sort((a, b) => {
    const [x, y] = [errors[a]!, errors[b]!];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? -1 : 1;
    return value(x) === value(y) ? a - b : value(y) - value(x);
  });
}

/** Each class by its own order; then the chosen ones by the common order. */
export function selected(
  errors: Float64Array,
  { count, positives }: TopBAttrs,
  sums?: Float64Array,
): number[] {
  const all = order(errors);
  if (positives === undefined) return all.slice(0, count);
  const isPositive = (i: number) => sums![3 * i + 2]! > 0;
  const [lesion, empty] = [all.filter(isPositive), all.filter((i) => !isPositive(i))];
  let taken = Math.min(positives, lesion.length);
  taken = Math.max(taken, count - empty.length);
  const chosen = new Set([...lesion.slice(0, taken), ...empty.slice(0, count - taken)]);
  return all.filter((i) => chosen.has(i));
}

const quota = (E: number, count: number, positives: number) => ({
  inputs: { errors: [E], sums: [E, 3] },
  attrs: { count, positives },
});

export const topBReference = defineReference({
  op: topB,
  sized: [
    {
      base: { E: 130, COUNT: 9 },
      large: { E: 128, COUNT: 32 },
      edges: { E: [64, 128, 256, 1024], COUNT: [2, 32] },
      make: ({ E = 0, COUNT = 0 }) => ({
        inputs: { errors: [E] },
        attrs: { count: Math.min(E, COUNT) },
      }),
    },
  ],
  cases: [
    { id: "paper_128_32", inputs: { errors: [128] }, attrs: { count: 32 } },
    { id: "ties_77_20", inputs: { errors: [77] }, attrs: { count: 20 } },
    { id: "all_equal_70_70", inputs: { errors: [70] }, attrs: { count: 70 } },
    { id: "special_values_61_61", inputs: { errors: [61] }, attrs: { count: 61 } },
    { id: "all_nan_9_4", inputs: { errors: [9] }, attrs: { count: 4 } },
    { id: "one_1_1", inputs: { errors: [1] }, attrs: { count: 1 } },
    { id: "most_4096_1000", inputs: { errors: [4096] }, attrs: { count: 1000 } },
    { id: "quota_128_32", ...quota(128, 32, 16) },
    { id: "quota_none_wanted_77_20", ...quota(77, 20, 0) },
    { id: "quota_all_wanted_77_20", ...quota(77, 20, 20) },
    { id: "quota_too_few_positives_61_30", ...quota(61, 30, 25) },
    { id: "quota_too_few_others_61_30", ...quota(61, 30, 5) },
    { id: "quota_no_positives_9_4", ...quota(9, 4, 2) },
    { id: "quota_of_all_31_31", ...quota(31, 31, 3) },
    { id: "quota_nan_61_20", ...quota(61, 20, 11) },
  ],
  types: { indices: "u32" },
  data(c, rng) {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1, -1];
    const draw: Record<string, () => number> = {
      ties: () => rng.int(7) / 7,
      all_equal: () => 0.25,
      special_values: () => special[rng.int(special.length)]!,
      all_nan: () => Number.NaN,
    };
    const kind = c.id.replace(/_\d+_\d+$/, "");
    const errors = Float64Array.from({ length: c.inputs.errors![0]! }, () =>
      Math.fround((draw[kind] ?? (() => rng.normal()))()),
    );
    if (c.id.startsWith("quota_nan")) errors.fill(Number.NaN, 5, 9);
    if (!c.inputs.sums) return { errors };
    const shares = { few_positives: 0.2, few_others: 0.8, no_positives: 0 };
    const found = Object.entries(shares).find(([name]) => c.id.includes(name));
    const sums = Float64Array.from({ length: 3 * errors.length }, () =>
      rng.uniform() < (found?.[1] ?? 0.4) ? 3 : 0,
    );
    return { errors, sums };
  },
  forward: ({ errors, sums }, _shapes, attrs) => ({
    indices: Float64Array.from(selected(errors!, attrs, sums)),
  }),
  bound: () => 0,
});
