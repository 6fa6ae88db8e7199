/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011, section 3.3). A block depends on key and counter alone, so a stream can be
 * entered anywhere and a resumed run continues bit for bit.
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;
const TWO_32 = 2 ** 32;

/** Upper 32 bits of the 64-bit product of two unsigned 32-bit integers (doubles stay exact). */
function mulHigh(a: number, b: number): number {
  const low = a * (b & 0xffff);
  const high = a * (b >>> 16);
  return Math.floor((high + Math.floor(low / 65536)) / 65536);
}

/** One Philox4x32-10 block; counter (4 words) and out (4 words) may be the same array. */
export function philox4x32(counter: Uint32Array, key0: number, key1: number, out: Uint32Array) {
  let c0 = counter[0]!;
  let c1 = counter[1]!;
  let c2 = counter[2]!;
  let c3 = counter[3]!;
  let k0 = key0 >>> 0;
  let k1 = key1 >>> 0;
  for (let round = 0; round < 10; round++) {
    const hi0 = mulHigh(M0, c0);
    const lo0 = Math.imul(M0, c0);
    const hi1 = mulHigh(M1, c2);
    const lo1 = Math.imul(M1, c2);
    c0 = (hi1 ^ c1 ^ k0) >>> 0;
    c1 = lo1 >>> 0;
    c2 = (hi0 ^ c3 ^ k1) >>> 0;
    c3 = lo0 >>> 0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/**
 * A stream of random numbers keyed by a seed and any number of stream numbers, all integers in
 * [0, 2⁵³), such as (seed, iteration) or (seed, patient, purpose). Streams of different keys are
 * independent. `at` reads a block by its counter; the other methods walk the blocks in order.
 */
export class Philox {
  private readonly key: readonly [number, number];
  private readonly counter = new Uint32Array(4);
  private readonly block = new Uint32Array(4);
  private taken = 4;
  private next = 0;
  private spare: number | undefined;

  constructor(seed: number, ...stream: readonly number[]) {
    for (const word of [seed, ...stream]) {
      if (!Number.isSafeInteger(word) || word < 0)
        throw new RangeError(`Philox: seed and stream must be integers in [0, 2^53), got ${word}`);
    }
    let key: [number, number] = [seed >>> 0, Math.floor(seed / TWO_32)];
    stream.forEach((word, level) => {
      // Each stream number turns the key into one block of the generator under the former key; the
      // last two counter words keep these blocks apart from those that `at` gives out.
      this.counter.set([word >>> 0, Math.floor(word / TWO_32), level, 0x5eed]);
      philox4x32(this.counter, key[0], key[1], this.block);
      key = [this.block[0]!, this.block[1]!];
    });
    this.key = key;
    this.counter.fill(0);
  }

  /** The four 32-bit words of block `counter`, an integer in [0, 2⁵³). Leaves the sequence alone. */
  at(counter: number): [number, number, number, number] {
    const words = new Uint32Array([counter >>> 0, Math.floor(counter / TWO_32), 0, 0]);
    philox4x32(words, this.key[0], this.key[1], words);
    return [words[0]!, words[1]!, words[2]!, words[3]!];
  }

  /** Goes on with block `counter`, an integer in [0, 2⁵³). */
  seek(counter: number): void {
    this.next = counter;
    this.taken = 4;
    this.spare = undefined;
  }

  /** The next 32 random bits, as an unsigned integer. */
  u32(): number {
    if (this.taken === 4) {
      this.counter[0] = this.next >>> 0;
      this.counter[1] = Math.floor(this.next / TWO_32);
      philox4x32(this.counter, this.key[0], this.key[1], this.block);
      this.next++;
      this.taken = 0;
    }
    return this.block[this.taken++]!;
  }

  /** Uniform in [low, high), by default [0, 1), in steps of 2⁻³² of the width. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.u32() / TWO_32);
  }

  /** Standard normal (Box–Muller). */
  normal(): number {
    if (this.spare !== undefined) {
      const value = this.spare;
      this.spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log((this.u32() + 1) / TWO_32));
    const angle = 2 * Math.PI * (this.u32() / TWO_32);
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Uniform integer in [0, n), 1 ≤ n ≤ 2³², without modulo bias. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_32)
      throw new RangeError(`Philox.int: n must be an integer in [1, 2^32], got ${n}`);
    const limit = TWO_32 - (TWO_32 % n);
    let word = this.u32();
    while (word >= limit) word = this.u32();
    return word % n;
  }
}
