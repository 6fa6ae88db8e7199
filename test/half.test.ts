/** Half precision by hand against the runtime's own. */
import { expect, test } from "bun:test";
import { halfBits, halfValue, roundToHalf } from "../src/core/half";

test("every half, its neighbours and what lies between them", () => {
  const halves = new Float16Array(Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).buffer);
  const wrong: number[] = [];
  for (const [bits, value] of halves.entries()) {
    if (Number.isNaN(value)) continue;
    if (!Object.is(halfValue(bits), value) || halfBits(value) !== bits) wrong.push(value);
    const next = halfValue(bits + 1);
    for (const part of [0.25, 0.5, 0.75]) {
      const between = value + part * (next - value);
      if (!Object.is(roundToHalf(between), Math.f16round(between))) wrong.push(between);
    }
  }
  expect(wrong).toEqual([]);
  for (const value of [65519, 65520, 1e9, -1e9, 2 ** -25, 2 ** -26, -0, Infinity, Number.NaN]) {
    expect(roundToHalf(value)).toBe(Math.f16round(value));
  }
});
