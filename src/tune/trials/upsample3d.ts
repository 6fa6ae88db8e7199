/** Upsampling one variant at a time, for the tuner, and single elements of it in float64. */

import type {
  GradientProblem,
  UpsampleProblem,
  UpsampleSizes,
} from "../../../kernels/resize/upsample3d_variants";
import type { Op } from "../../core/op";
import { defineTrial, type Exact, type Trial } from "../trial";
import {
  normalisedRead,
  normalisedTensor,
  normFills,
  normInputs,
  type Read,
  written,
} from "./after_norm";

const upsampling = (op: Op<never>) => op as unknown as Op<{ readonly alignCorners: boolean }>;

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
  read: Read,
  i: number,
  [to, from]: readonly [readonly number[], readonly number[]],
  along: (o: number, axis: number) => [number, number][],
  F16: number,
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
        read.at(plane + (z * from[1]! + y) * from[2]! + x);
        value += wz * wy * wx * read.value;
        absolute += wz * wy * wx * read.size;
        terms++;
      }
    }
  }
  // Positions are rounded too, and weights with them: as in src/reference/upsample3d.ts.
  const bound = (F16 ? 2 ** -10 : 16 * 2 ** -24) * absolute + (F16 ? 2 ** -24 : 0);
  return { value, bound, terms };
}

const space = ({ D, H, W }: UpsampleSizes) => [D, H, W];
const doubled = (sizes: UpsampleSizes) => space(sizes).map((n) => 2 * n);

const forward: Trial<UpsampleProblem> = {
  batch: "N",
  fill: normFills("x", "x"),
  halves: ({ F16 }) => (F16 ? ["x"] : []),
  inputs(problem) {
    const x = [problem.N, problem.C, ...space(problem)];
    return problem.NORM ? normInputs("x", x) : { x };
  },
  record(g, op, inputs, { NORM, ALIGN }) {
    const x = NORM ? normalisedTensor(g, "x", inputs) : inputs.x!;
    return { y: g.apply(upsampling(op), { x }, { alignCorners: ALIGN === 1 }).y! };
  },
  exact(values, problem, _output, i) {
    const { N, C, NORM, ALIGN, F16 } = problem;
    const shape = space(problem);
    const along = (o: number, axis: number) => taps(o, shape[axis]!, ALIGN);
    const x = NORM ? normalisedRead("x", values, [N, C, ...shape]) : written(values.x!);
    return interpolated(x, i, [doubled(problem), shape], along, F16);
  },
};

const gradient: Trial<GradientProblem> = {
  batch: "N",
  halves: ({ F16 }) => (F16 ? ["dy"] : []),
  inputs: (sizes) => ({ dy: [sizes.N, sizes.C, ...doubled(sizes)] }),
  record(g, op, { dy }, sizes) {
    const x = g.tensor("x", [sizes.N, sizes.C, ...space(sizes)], dy!.dtype);
    const attrs = { alignCorners: sizes.ALIGN === 1 };
    const call = { inputs: { x }, outputs: {}, attrs, needs: new Set(["x"]) };
    return { dx: upsampling(op).backward!(g, call, { y: dy! }).x! };
  },
  exact({ dy }, sizes, _output, i) {
    const shape = space(sizes);
    const along = (at: number, axis: number) => tapsOfInput(at, shape[axis]!, sizes.ALIGN);
    return interpolated(written(dy!), i, [shape, doubled(sizes)], along, sizes.F16);
  },
};

export const upsample3dTrials = {
  upsample3d: defineTrial(forward),
  upsample3d_dx: defineTrial(gradient),
};
