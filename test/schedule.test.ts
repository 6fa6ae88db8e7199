/** Learning rates over a run, the momentum of w̄, and settings that follow others. */
import { expect, test } from "bun:test";
import { SCHEDULES } from "../src/settings/names";
import { makeTrainConfig, PRESETS, type PresetName } from "../src/settings/presets";
import { chunksFor } from "../src/train/chunk";
import { emaMomentum, learningRateAt, STEP_SIZE, stepValues } from "../src/train/schedule";

const at = (schedule: (typeof SCHEDULES)[number], progress: number, warmUp = 0) =>
  learningRateAt({ schedule, learningRate: 2, warmUp }, progress);

test("step: the paper's tenth at half of the budget and hundredth at 80 %", () => {
  expect([0, 0.499, 0.5, 0.799, 0.8, 1, 1.2].map((p) => at("step", p))).toEqual(
    [2, 2, 0.2, 0.2, 0.02, 0.02, 0.02].map((rate) => expect.closeTo(rate, 12)),
  );
});

test("cosine and poly: values worked by hand", () => {
  expect(at("cosine", 0)).toBe(2);
  expect(at("cosine", 0.5)).toBeCloseTo(1, 12);
  expect(at("cosine", 1 / 3)).toBeCloseTo(1.5, 12);
  expect(at("cosine", 1)).toBeCloseTo(0, 12);
  expect(at("poly", 0)).toBe(2);
  expect(at("poly", 0.5)).toBeCloseTo(2 * 0.5 ** 0.9, 12);
  expect(at("poly", 1)).toBe(0);
});

test("no schedule rises, and every one stays finite beyond the end of the budget", () => {
  for (const schedule of SCHEDULES) {
    const rates = Array.from({ length: 121 }, (_, i) => at(schedule, i / 100));
    rates.forEach((rate, i) => {
      expect(rate, schedule).toBeGreaterThanOrEqual(0);
      if (i > 0) expect(rate, `${schedule} at ${i} %`).toBeLessThanOrEqual(rates[i - 1]!);
    });
  }
});

test("warm-up rises linearly to the schedule, and never starts at 0", () => {
  for (const schedule of SCHEDULES) {
    expect(at(schedule, 0, 0.1)).toBeCloseTo(2e-3, 12);
    expect(at(schedule, 0.05, 0.1)).toBeCloseTo(at(schedule, 0.05) / 2, 12);
    expect(at(schedule, 0.1, 0.1)).toBe(at(schedule, 0.1));
  }
});

test("μ ramps up from a tenth", () => {
  expect([0, 8, 1e6].map((t) => emaMomentum(0.99, t))).toEqual([0.1, 0.5, 0.99]);
  expect(emaMomentum(0.99, 0, false)).toBe(0.99);
});

test("Adam's bias correction: the first three steps by hand", () => {
  // 1 − 0.9ᵗ = 0.1, 0.19, 0.271; √(1 − 0.999ᵗ) = 0.0316228, 0.0447102, 0.0547449
  const rates = [0.01, 0.00526316, 0.00369004];
  const roots = [31.6228, 22.3663, 18.2666];
  for (const t of [0, 1, 2]) {
    const values = [...stepValues(t, 1e-3, 0.99, 7)];
    expect(values[0]).toBeCloseTo(rates[t]!, 7);
    expect(values[1]).toBeCloseTo(roots[t]!, 3);
    expect(values[2]).toBeCloseTo(0.99, 6);
    expect(values.slice(3)).toEqual([7, ...new Array(STEP_SIZE - 4).fill(0)]);
  }
});

test("stride and patches per dispatch follow the patch, unless they are given", () => {
  const dispatched = (patch: number, kind: "lavapipe" | "hardware") => {
    const config = makeTrainConfig("paper", { patch });
    return [config.stride, ...Object.values(chunksFor(config, { kind }))];
  };
  expect(dispatched(32, "lavapipe")).toEqual([24, 12, 12]);
  expect(dispatched(48, "lavapipe")).toEqual([36, 4, 4]);
  expect(dispatched(64, "lavapipe")).toEqual([48, 2, 2]);
  expect(dispatched(32, "hardware")).toEqual([24, 32, 64]);
  expect(dispatched(48, "hardware")).toEqual([36, 9, 18]);
  expect(makeTrainConfig("small", { patch: 64 })).toMatchObject({ stride: 48, chunk: 2 });
  expect(makeTrainConfig("paper", { patch: 64, stride: 32, chunk: 1 })).toMatchObject({
    stride: 32,
    chunk: 1,
  });
  expect(() => makeTrainConfig("paper", { patch: 50 })).toThrow(
    /--patch 50: must be a multiple of 4/,
  );
  for (const name of Object.keys(PRESETS) as PresetName[]) {
    expect(makeTrainConfig(name, {})).toMatchObject({ ...PRESETS[name].settings });
  }
});

test("a setting that does not exist is refused by name", () => {
  expect(() => makeTrainConfig("paper", { schedule: "linear" as never })).toThrow(
    /--schedule linear: expected one of/,
  );
  expect(() => makeTrainConfig("paper", { warmUp: 1 })).toThrow(
    /--warm-up 1: expected number to be <1/,
  );
  expect(() => makeTrainConfig("paper", { filters: [8, 16, -3] })).toThrow(
    /--filters 8,16,-3: expected number to be >0/,
  );
});
