import type { UpsampleAttrs } from "../../kernels/resize/upsample3d";
import { upsample3d } from "../../kernels/resize/upsample3d";
import type { Shape } from "../core/tensor";
import { channelsOf, elements, makeTensor } from "../core/tensor";
import type { Cursor, Cursors, Element } from "./element";
import { fromElements } from "./from_elements";
import type { Shapes } from "./reference";
import { defineReference, halfOut } from "./reference";

type Tap = readonly [index: number, weight: number];

/** Where output `o` lies along an input axis of `n`, as PyTorch defines it. */
function positionOf(o: number, n: number, alignCorners: boolean): number {
  const at = alignCorners ? (o * (n - 1)) / (2 * n - 1) : (o + 0.5) / 2 - 0.5;
  return Math.min(Math.max(0, at), n - 1);
}

/** Indices from `first` to `last` with a weight. */
function weighted(first: number, last: number, weightOf: (k: number) => number): Tap[] {
  const found: Tap[] = [];
  for (let k = first; k <= last; k++) {
    const weight = weightOf(k);
    if (weight > 0) found.push([k, weight]);
  }
  return found;
}

/** Input positions and weights of output `o` along an axis of `n`. */
function taps(o: number, n: number, alignCorners: boolean): Tap[] {
  const at = positionOf(o, n, alignCorners);
  const low = Math.floor(at);
  return weighted(low, low + 1, (i) => 1 - Math.abs(at - i));
}

/** Output positions and weights of input `i`: those whose taps read it. */
function tapsOfInput(i: number, n: number, alignCorners: boolean): Tap[] {
  const [first, last] = [Math.max(0, 2 * i - 2), Math.min(2 * n - 1, 2 * i + 4)];
  return weighted(first, last, (o) => 1 - Math.abs(positionOf(o, n, alignCorners) - i));
}

/** Σ weights · values for element `i` of planes of `to`, read from planes of `from`. */
function interpolated(
  read: Cursor,
  i: number,
  to: Shape,
  from: Shape,
  along: (o: number, axis: number) => readonly Tap[],
): Element {
  const [, H = 0, W = 0] = to;
  const S = elements(to);
  const plane = Math.floor(i / S) * elements(from);
  const position = [Math.floor((i % S) / (H * W)), Math.floor(i / W) % H, i % W];
  let [value, size, terms] = [0, 0, 0];
  const [ofZ = [], ofY = [], ofX = []] = position.map(along);
  for (const [z, wz] of ofZ) {
    for (const [y, wy] of ofY) {
      for (const [x, wx] of ofX) {
        read.at(plane + (z * from[1]! + y) * from[2]! + x);
        value += wz * wy * wx * read.value;
        size += wz * wy * wx * read.size;
        terms++;
      }
    }
  }
  // Positions are rounded too, and weights with them.
  return { value, size, terms, bound: 16 * 2 ** -24 * size };
}

const doubled = (shape: Shape) => shape.map((n) => 2 * n);
const outputs = ({ x }: Shapes): Shapes => ({ y: [...x!.slice(0, 2), ...doubled(x!.slice(2))] });

/** An element of y or dx. */
export function upsample3dElement(
  name: string,
  i: number,
  { x, dy }: Cursors,
  shapes: Shapes,
  { alignCorners }: UpsampleAttrs,
): Element {
  const small = shapes.x!.slice(2);
  const large = doubled(small);
  if (name === "y") {
    const along = (o: number, axis: number) => taps(o, small[axis]!, alignCorners);
    return interpolated(x!, i, large, small, along);
  }
  const along = (o: number, axis: number) => tapsOfInput(o, small[axis]!, alignCorners);
  return interpolated(dy!, i, small, large, along);
}

const view = () => channelsOf(makeTensor("base", [2, 6, 6, 8, 10]), 2, 3);
const shapes: Record<string, Shape> = {
  odd: [2, 3, 3, 5, 7],
  rows: [2, 2, 18, 3, 8],
  single: [1, 2, 1, 1, 1],
  flat: [1, 2, 1, 2, 9],
};

export const upsample3dReference = defineReference<UpsampleAttrs>({
  op: upsample3d,
  f16: { inputs: ["x"], attrs: halfOut },
  scalable: ["x"],
  sized: [true, false].map((alignCorners) => ({
    base: { N: 1, C: 2, D: 2, H: 3, W: 4 },
    large: { N: 4, C: 32, D: 16, H: 16, W: 16 },
    edges: { N: [2], C: [2], D: [2, 4, 16], H: [2, 4], W: [2, 4, 8, 32] },
    make: ({ N = 0, C = 0, D = 0, H = 0, W = 0 }) => ({
      id: `${D}x${H}x${W}_c${C}_n${N}_${alignCorners ? "aligned" : "unaligned"}`,
      inputs: { x: [N, C, D, H, W] },
      attrs: { alignCorners },
    }),
  })),
  cases: [true, false].flatMap((alignCorners) => [
    ...Object.entries(shapes).map(([name, x]) => ({
      id: `${name}_${alignCorners ? "aligned" : "unaligned"}`,
      inputs: { x },
      attrs: { alignCorners },
    })),
    {
      id: `row_views_${alignCorners ? "aligned" : "unaligned"}`,
      inputs: { x: [2, 3, 2, 3, 4] },
      attrs: { alignCorners, out: channelsOf(makeTensor("base", [2, 4, 4, 6, 8]), 1, 3) },
      views: { dy: { first: 2, total: 5 } },
    },
    {
      id: `views_${alignCorners ? "aligned" : "unaligned"}`,
      inputs: { x: [2, 3, 3, 4, 5] },
      attrs: { alignCorners, out: view() },
      views: { dy: { first: 1, total: 5 } },
    },
  ]),
  ...fromElements(outputs, upsample3dElement),
});
