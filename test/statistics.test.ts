import { expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import { bootstrap, DEFAULT_BOOTSTRAP, mean, median, quantile } from "../src/eval/statistics";

test("mean, median and quantiles, by hand", () => {
  expect(mean([1, 2, 6])).toBe(3);
  expect(median([6, 1, 2])).toBe(2);
  expect(median([10, 1, 2, 4])).toBe(3);
  expect([mean([]), median([])]).toEqual([Number.NaN, Number.NaN]);
  const shares = [0, 0.125, 0.5, 0.875, 1];
  expect(shares.map((share) => quantile([1, 2, 3, 5, 9], share))).toEqual([1, 1.5, 3, 7, 9]);
});

test("bootstrap interval of a mean: repeatable, and as wide as theory says", () => {
  const random = new Philox(3);
  const values = Array.from({ length: 400 }, () => 5 + 2 * random.normal());
  const { value, interval } = bootstrap(values, mean);
  expect(value).toBe(mean(values));
  expect(bootstrap(values, mean).interval).toEqual(interval);
  expect(bootstrap(values, mean, { ...DEFAULT_BOOTSTRAP, seed: 1 }).interval).not.toEqual(interval);
  // 1.96 standard errors of the sample on either side; 10,000 resamples leave about 2 % of noise.
  const sd = Math.sqrt(mean(values.map((v) => (v - value) ** 2)));
  const half = (1.96 * sd) / Math.sqrt(values.length);
  expect(Math.abs(interval![0] - (value - half))).toBeLessThan(0.08 * half);
  expect(Math.abs(interval![1] - (value + half))).toBeLessThan(0.08 * half);
});

test("bootstrap: 95 of 100 intervals of a mean hold the truth, give or take", () => {
  let holds = 0;
  for (let trial = 0; trial < 200; trial++) {
    const random = new Philox(trial, 9);
    const values = Array.from({ length: 40 }, () => random.uniform());
    const { interval } = bootstrap(values, mean, { ...DEFAULT_BOOTSTRAP, resamples: 500 });
    if (interval![0] <= 0.5 && 0.5 <= interval![1]) holds++;
  }
  // 190 expected for exact intervals, with a standard deviation of 3.
  expect(holds).toBeGreaterThanOrEqual(178);
  expect(holds).toBeLessThanOrEqual(199);
});

test("bootstrap of a median, of equal values, of one, of none", () => {
  expect(bootstrap([1, 2, 3, 4, 100], median).interval).toEqual([1, 100]);
  expect(bootstrap([2, 2, 2], mean)).toEqual({ value: 2, interval: [2, 2] });
  expect(bootstrap([7], median)).toEqual({ value: 7, interval: null });
  expect(() => bootstrap([], mean)).toThrow(/no values/);
});
