import { describe, expect, test } from "bun:test";
import { Philox, philox4x32 } from "../src/core/random";

// Known-answer vectors of the Random123 distribution (kat_vectors, "philox4x32 10").
const KNOWN = [
  {
    counter: [0, 0, 0, 0],
    key: [0, 0],
    out: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    out: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    out: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
] as const;

describe("Philox4x32-10", () => {
  for (const { counter, key, out } of KNOWN) {
    test(`known answer, counter ${counter[0].toString(16)}`, () => {
      const words = new Uint32Array(4);
      philox4x32(new Uint32Array(counter), key[0], key[1], words);
      expect([...words]).toEqual([...out]);
    });
  }

  test("the sequence is the blocks in order", () => {
    const words = new Philox(7, 1, 2);
    const blocks = new Philox(7, 1, 2);
    for (let b = 0; b < 5; b++) {
      expect([words.u32(), words.u32(), words.u32(), words.u32()]).toEqual(blocks.at(b));
    }
    expect(new Philox(0).at(0)).toEqual([...KNOWN[0].out]);
  });

  test("seeds and streams differ, equal keys agree", () => {
    const keys = [[1], [2], [1, 0], [1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0], [2 ** 32 + 1], [0, 1]];
    const firsts = keys.map(([seed, ...stream]) => new Philox(seed!, ...stream).at(0).join());
    expect(new Set(firsts).size).toBe(keys.length);
    expect(new Philox(1, 0, 1).at(0).join()).toBe(firsts[5]!);
    expect(() => new Philox(-1)).toThrow("seed and stream");
  });

  test("moments of uniform and normal, range of int", () => {
    const random = new Philox(11);
    const n = 100_000;
    let u = 0;
    let z = 0;
    let zz = 0;
    const counts = new Uint32Array(7);
    for (let i = 0; i < n; i++) {
      u += random.uniform(-1, 3);
      const value = random.normal();
      z += value;
      zz += value * value;
      counts[random.int(7)]!++;
    }
    // Five standard errors each.
    expect(Math.abs(u / n - 1)).toBeLessThan((5 * (4 / Math.sqrt(12))) / Math.sqrt(n));
    expect(Math.abs(z / n)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(zz / n - 1)).toBeLessThan((5 * Math.SQRT2) / Math.sqrt(n));
    for (const count of counts)
      expect(Math.abs(count - n / 7)).toBeLessThan(5 * Math.sqrt((n * 6) / 49));
  });
});
