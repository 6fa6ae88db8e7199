import { expect, test } from "bun:test";
import { mergeMoments } from "../kernels/norm/moments";
import { Philox } from "../src/core/random";

/** Count, mean and sum of squared deviations, in two passes. */
function row(values: readonly number[]): number[] {
  const mean = values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
  return [values.length, mean, values.reduce((sum, v) => sum + (v - mean) ** 2, 0)];
}

test("merged moments are those of all values, whatever the pieces", () => {
  const rng = new Philox(7);
  const values = Array.from({ length: 1000 }, () => 1e4 + rng.normal());
  const [count = 0, mean = 0, m2 = 0] = row(values);
  for (const lengths of [[1000], [1, 999], [0, 500, 0, 500], [3, 7, 90, 400, 500]]) {
    let at = 0;
    const partials = lengths.flatMap((n) => {
      at += n;
      return row(values.slice(at - n, at));
    });
    const merged = mergeMoments(Float64Array.from(partials));
    expect(merged.count, `${lengths}`).toBe(count);
    expect(Math.abs(merged.mean / mean - 1), `${lengths}`).toBeLessThan(1e-14);
    expect(Math.abs(merged.std / Math.sqrt(m2 / count) - 1), `${lengths}`).toBeLessThan(1e-10);
  }
});

test("moments of nothing", () => {
  expect(mergeMoments([])).toEqual({ count: 0, mean: 0, std: 0 });
  expect(mergeMoments([0, 0, 0])).toEqual({ count: 0, mean: 0, std: 0 });
});
