import { expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import type { Lifetime } from "../src/gpu/plan";
import { peakBytes, plan } from "../src/gpu/plan";

/** Lifetimes of a random program: short ones, long ones (skips), some that live to the end. */
function randomLifetimes(rng: Philox): Lifetime[] {
  const steps = 1 + rng.int(60);
  return Array.from({ length: 1 + rng.int(50) }, (_, i) => {
    const first = rng.int(steps);
    const length = [rng.int(2), rng.int(4), rng.int(steps), steps][rng.int(4)]!;
    const last = Math.min(steps, first + length);
    return { id: 100 + i, name: `t${i}`, bytes: 4 * (1 + rng.int(1000)), first, last };
  });
}

function overlap(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last;
}

test("no two live tensors share a slot, and each fits its own", () => {
  for (let seed = 0; seed < 300; seed++) {
    const lives = randomLifetimes(new Philox(seed));
    const { slots, slotOf } = plan(lives);
    for (const [i, a] of lives.entries()) {
      const slot = slotOf.get(a.id)!;
      expect(slots[slot]!, `seed ${seed}: ${a.name}`).toBeGreaterThanOrEqual(a.bytes);
      const clash = lives.slice(i + 1).find((b) => slotOf.get(b.id) === slot && overlap(a, b));
      expect(clash, `seed ${seed}: ${a.name} and ${clash?.name}`).toBeUndefined();
    }
  }
});

test("the plan lies between the peak of live bytes and the sum of all", () => {
  for (let seed = 0; seed < 300; seed++) {
    const lives = randomLifetimes(new Philox(seed, 1));
    const total = (sizes: readonly number[]) => sizes.reduce((sum, n) => sum + n, 0);
    const planned = total(plan(lives).slots);
    expect(planned, `seed ${seed}`).toBeGreaterThanOrEqual(peakBytes(lives));
    expect(planned, `seed ${seed}`).toBeLessThanOrEqual(total(lives.map((t) => t.bytes)));
  }
});

test("a chain needs little more than its peak however long it is", () => {
  const chain = Array.from({ length: 20 }, (_, i) => {
    return { id: i, name: `t${i}`, bytes: 64 * (1 + (i % 3)), first: i, last: i + 1 };
  });
  expect(plan(chain).slots).toEqual([192, 128, 64]);
  expect(peakBytes(chain)).toBe(128 + 192);
});

test("the same lifetimes give the same plan, nothing gives nothing", () => {
  const lives = randomLifetimes(new Philox(5));
  expect(plan(lives)).toEqual(plan(lives));
  expect(plan([])).toEqual({ slots: [], slotOf: new Map() });
  expect(peakBytes([])).toBe(0);
});
