import {
  type GaussianAxisAttrs,
  gaussianAxis,
  gaussianTaps,
} from "../../kernels/registration/gaussian_axis";
import { elements, type Shape } from "../core/tensor";
import { largestMagnitude } from "./magnitude";
import { type Case, defineReference } from "./reference";

const taps = (sigma: number) => gaussianTaps(sigma);

interface Smoothing extends GaussianAxisAttrs {
  readonly x: Shape;
  /** Standard deviation, samples. */
  readonly sigma: number;
}

const smoothings: Record<string, Smoothing> = {
  depth: { x: [9, 4, 5], axis: 0, stride: 1, sigma: 1.2 },
  height_by_2: { x: [3, 13, 7], axis: 1, stride: 2, sigma: 0.9 },
  depth_by_4_from_2: { x: [15, 3, 6], axis: 0, first: 2, stride: 4, sigma: 1.7 },
  width_by_3: { x: [4, 3, 20], axis: 2, stride: 3, sigma: 2.1 },
  wider_than_the_axis: { x: [3, 5, 4], axis: 1, stride: 1, sigma: 3 },
  one_tap: { x: [5, 6, 7], axis: 2, stride: 1, sigma: 0 },
  one_sample: { x: [2, 3, 1], axis: 2, stride: 4, sigma: 1 },
};

/** Few taps: the work is in the number of outputs. */
const crowded: Record<string, Smoothing> = {
  depth_3x1024x1366: { x: [3, 1024, 1366], axis: 0, stride: 1, sigma: 0 },
};

const sigmas = new Map(
  Object.entries({ ...smoothings, ...crowded }).map(([id, { sigma }]) => [id, sigma]),
);
const SIZED_SIGMA = 1.1;

function casesOf(all: Readonly<Record<string, Smoothing>>): Case<GaussianAxisAttrs>[] {
  return Object.entries(all).map(([id, { x, sigma, ...attrs }]) => ({
    ...{ id, attrs },
    inputs: { x, taps: [taps(sigma).length] },
  }));
}

function shapeOfResult(shape: Shape, { axis, first = 0, stride }: GaussianAxisAttrs): Shape {
  return shape.with(axis, Math.ceil((shape[axis]! - first) / stride));
}

export const gaussianAxisReference = defineReference<GaussianAxisAttrs>({
  op: gaussianAxis,
  cases: casesOf(smoothings),
  crowded: casesOf(crowded),
  scalable: ["x"],
  sized: [
    {
      base: { D: 3, H: 4, W: 5 },
      large: { D: 128, H: 128, W: 128 },
      edges: { D: [4], W: [64] },
      make: ({ D = 0, H = 0, W = 0 }) => ({
        inputs: { x: [D, H, W], taps: [taps(SIZED_SIGMA).length] },
        attrs: { axis: 2, stride: 2 },
      }),
    },
  ],
  data: (c) => ({ taps: Float64Array.from(taps(sigmas.get(c.id) ?? SIZED_SIGMA)) }),
  forward({ x, taps: weights }, shapes, { axis, first = 0, stride }) {
    const shape = shapes.x!;
    const out = shapeOfResult(shape, { axis, first, stride });
    const inner = elements(shape.slice(axis + 1));
    const radius = (weights!.length - 1) / 2;
    const y = new Float64Array(elements(out));
    for (let i = 0; i < y.length; i++) {
      const row = Math.floor(i / inner);
      const outer = Math.floor(row / out[axis]!);
      weights!.forEach((weight, k) => {
        const at = first + (row % out[axis]!) * stride + k - radius;
        const held = Math.min(Math.max(at, 0), shape[axis]! - 1);
        y[i]! += weight * x![(outer * shape[axis]! + held) * inner + (i % inner)]!;
      });
    }
    return { y };
  },
  bound: (_name, { x, taps: weights }) => 2 * 2 ** -24 * weights!.length * largestMagnitude(x!),
});
