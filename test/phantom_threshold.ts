import type { PhantomPatient } from "../src/data/phantom/patient";
import type { Size3 } from "../src/data/volume";

const BINS = 4096;
/** z-normalised differences are counted between ± RANGE; what lies beyond goes to the last bins. */
const RANGE = 16;

/** The counts of lesion and other voxels by value: all that a threshold can know. */
export interface Histogram {
  readonly lesion: Float64Array;
  readonly other: Float64Array;
}

export function emptyHistogram(): Histogram {
  return { lesion: new Float64Array(BINS), other: new Float64Array(BINS) };
}

export function count(into: Histogram, value: Float32Array, truth: Uint8Array): Histogram {
  for (let o = 0; o < value.length; o++) {
    const bin = Math.floor((value[o]! / RANGE + 1) * 0.5 * BINS);
    (truth[o] ? into.lesion : into.other)[Math.min(Math.max(bin, 0), BINS - 1)]!++;
  }
  return into;
}

/** The Dice of "value above t" at the t where it is highest. */
export function bestDice({ lesion, other }: Histogram): number {
  const all = lesion.reduce((a, b) => a + b, 0);
  let hit = 0;
  let marked = 0;
  let best = 0;
  for (let bin = BINS - 1; bin >= 0; bin--) {
    hit += lesion[bin]!;
    marked += lesion[bin]! + other[bin]!;
    if (marked > 0) best = Math.max(best, (2 * hit) / (marked + all));
  }
  return best;
}

/** Second visit minus first, each z-normalised over its whole volume. */
export function difference({ visits }: PhantomPatient): Float32Array {
  const [first, second] = visits.map(({ data }) => zNormalised(data)) as [
    Float32Array,
    Float32Array,
  ];
  return second.map((value, o) => value - first[o]!);
}

function zNormalised(data: Float32Array): Float32Array {
  let mean = 0;
  for (const value of data) mean += value / data.length;
  let variance = 0;
  for (const value of data) variance += (value - mean) ** 2 / data.length;
  const deviation = Math.sqrt(variance);
  return data.map((value) => (value - mean) / deviation);
}

/** Mean over 3×3×3 voxels, borders repeated. */
export function smooth3(data: Float32Array, size: Size3): Float32Array {
  let from = data;
  let stride = 1;
  for (const n of size) {
    const to = new Float32Array(from.length);
    for (let o = 0; o < from.length; o++) {
      const c = Math.floor(o / stride) % n;
      const before = from[c > 0 ? o - stride : o]!;
      to[o] = (before + from[o]! + from[c < n - 1 ? o + stride : o]!) / 3;
    }
    from = to;
    stride *= n;
  }
  return from;
}
