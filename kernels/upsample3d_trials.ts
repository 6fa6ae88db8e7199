/** Upsampling one variant at a time, for the tuner, and single elements of it in float64. */
import type { Exact, Trial } from "../src/core/trial";
import type { UpsampleSizes, UpsampleVariant } from "./upsample3d_variants";

/** Input positions and weights of output `o` along an axis of `n`. */
function taps(o: number, n: number, align: number): [index: number, weight: number][] {
  const at = align ? (o * (n - 1)) / (2 * n - 1) : Math.max(0, (o + 0.5) / 2 - 0.5);
  const low = Math.floor(at);
  return [
    [low, 1 - (at - low)],
    [Math.min(low + 1, n - 1), at - low],
  ];
}

/** Output positions and weights of input `i` along an axis of `n`. */
function tapsOfInput(i: number, n: number, align: number): [index: number, weight: number][] {
  const first = Math.max(0, 2 * i - 2);
  const last = Math.min(2 * n - 1, 2 * i + 4);
  const found: [number, number][] = [];
  for (let o = first; o <= last; o++) {
    for (const [at, weight] of taps(o, n, align)) if (at === i) found.push([o, weight]);
  }
  return found;
}

/** Σ weights · values around element `i` of a tensor of planes of `to`, read from planes of `from`. */
function interpolated(
  read: (i: number) => number,
  i: number,
  [to, from]: readonly [readonly number[], readonly number[]],
  along: (o: number, axis: number) => [number, number][],
): Exact {
  const [, H = 0, W = 0] = to;
  const S = to.reduce((a, b) => a * b);
  const plane = Math.floor(i / S) * from.reduce((a, b) => a * b);
  const position = [Math.floor((i % S) / (H * W)), Math.floor(i / W) % H, i % W];
  let [value, absolute, terms] = [0, 0, 0];
  const [ofZ = [], ofY = [], ofX = []] = position.map(along);
  for (const [z, wz] of ofZ) {
    for (const [y, wy] of ofY) {
      for (const [x, wx] of ofX) {
        const term = wz * wy * wx * read(plane + (z * from[1]! + y) * from[2]! + x);
        value += term;
        absolute += Math.abs(term);
        terms++;
      }
    }
  }
  // Positions are rounded too, and weights with them: as in test/reference/upsample3d.ts.
  return { value, bound: 16 * 2 ** -24 * absolute, terms };
}

const space = ({ D, H, W }: UpsampleSizes) => [D, H, W];
const doubled = (sizes: UpsampleSizes) => space(sizes).map((n) => 2 * n);

const forward: Trial<UpsampleSizes, UpsampleVariant> = {
  batch: "N",
  inputs: (sizes) => ({ x: [sizes.N, sizes.C, ...space(sizes)] }),
  record(g, variant, { x }, sizes) {
    const y = g.tensor("y", [sizes.N, sizes.C, ...doubled(sizes)]);
    variant.emit(g, x!, y, sizes);
    return { y };
  },
  exact({ x }, sizes, _output, i) {
    const shape = space(sizes);
    const along = (o: number, axis: number) => taps(o, shape[axis]!, sizes.ALIGN);
    return interpolated(x!, i, [doubled(sizes), shape], along);
  },
};

const gradient: Trial<UpsampleSizes, UpsampleVariant> = {
  batch: "N",
  inputs: (sizes) => ({ dy: [sizes.N, sizes.C, ...doubled(sizes)] }),
  record(g, variant, { dy }, sizes) {
    const dx = g.tensor("dx", [sizes.N, sizes.C, ...space(sizes)]);
    variant.emit(g, dy!, dx, sizes);
    return { dx };
  },
  exact({ dy }, sizes, _output, i) {
    const shape = space(sizes);
    const along = (at: number, axis: number) => tapsOfInput(at, shape[axis]!, sizes.ALIGN);
    return interpolated(dy!, i, [shape, doubled(sizes)], along);
  },
};

export const upsampleTrials = { upsample3d: forward, upsample3d_dx: gradient };
