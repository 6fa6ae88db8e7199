/** Upsampling one variant at a time, for the tuner, after a norm or not. */

import type {
  GradientProblem,
  UpsampleProblem,
  UpsampleSizes,
} from "../../../kernels/resize/upsample3d_variants";
import type { Op } from "../../core/op";
import { type Cursor, written } from "../../reference/element";
import { upsample3dElement } from "../../reference/upsample3d";
import { defineTrial, type Exact, type Trial } from "../trial";
import { normalisedCursor, normalisedTensor, normFills, normInputs } from "./after_norm";

const upsampling = (op: Op<never>) => op as unknown as Op<{ readonly alignCorners: boolean }>;

const space = ({ D, H, W }: UpsampleSizes) => [D, H, W];
const doubled = (sizes: UpsampleSizes) => space(sizes).map((n) => 2 * n);

const shapesOf = (sizes: UpsampleSizes) => ({ x: [sizes.N, sizes.C, ...space(sizes)] });

/** An element, and how far it may be off where activations are stored as f16. */
function exact(
  name: string,
  i: number,
  cursors: Readonly<Record<string, Cursor>>,
  sizes: GradientProblem,
): Exact {
  const attrs = { alignCorners: sizes.ALIGN === 1 };
  const found = upsample3dElement(name, i, cursors, shapesOf(sizes), attrs);
  return sizes.F16 ? { ...found, bound: 2 ** -10 * found.size + 2 ** -24 } : found;
}

const forward: Trial<UpsampleProblem> = {
  batch: "N",
  fill: normFills("x", "x"),
  halves: ({ F16 }) => (F16 ? ["x"] : []),
  inputs(problem) {
    const { x } = shapesOf(problem);
    return problem.NORM ? normInputs("x", x) : { x };
  },
  record(g, op, inputs, { NORM, ALIGN }) {
    const x = NORM ? normalisedTensor(g, "x", inputs) : inputs.x!;
    return { y: g.apply(upsampling(op), { x }, { alignCorners: ALIGN === 1 }).y! };
  },
  exact(values, problem, _output, i) {
    const { x: shape } = shapesOf(problem);
    const x = problem.NORM ? normalisedCursor("x", values, shape) : written(values.x!);
    return exact("y", i, { x }, problem);
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
  exact: ({ dy }, sizes, _output, i) => exact("dx", i, { dy: written(dy!) }, sizes),
};

export const upsample3dTrials = {
  upsample3d: defineTrial(forward),
  upsample3d_dx: defineTrial(gradient),
};
