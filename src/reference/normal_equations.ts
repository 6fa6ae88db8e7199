import { MOTION_COLUMNS, MOTION_EXTRA, type MotionAttrs } from "../../kernels/registration/motion";
import { normalEquations, sumsOf } from "../../kernels/registration/normal_equations";
import type { Shape } from "../core/tensor";
import { exactSamples, type Residual, residuals } from "./motion";
import { type Case, defineReference } from "./reference";

const shapes: Record<string, Shape> = {
  small: [6, 5, 6, 7],
  one_point: [6, 1, 1, 1],
  three_pieces: [6, 9, 16, 17],
};
/** Points of a piece. */
const PIECE = 1024;

type Terms = (residual: Residual) => number[];

/** What a point adds to a row of sums. */
const termsOf =
  (motion: Float64Array): Terms =>
  ({ r, e, J }) => {
    const w = Math.max(0, 1 - (e / motion.at(-1)!) ** 2) ** 2;
    const products = J.flatMap((a, i) => J.slice(i).map((b) => w * a * b));
    return [...products, ...J.map((a) => w * a * r), w, w * e * e, 1];
  };

/** How large these terms are with the largest weight, 1. */
const sizesOfTerms: Terms = ({ r, e, J }) => {
  const products = J.flatMap((a, i) => J.slice(i).map((b) => a * b));
  return [...products, ...J.map((a) => a * r), 1, e * e, 1].map(Math.abs);
};

export const normalEquationsReference = defineReference<MotionAttrs>({
  op: normalEquations,
  cases: Object.entries(shapes).flatMap(([id, samples]) =>
    (["rigid", "affine"] as const).map(
      (kind): Case<MotionAttrs> => ({
        id: `${id}_${kind}`,
        inputs: { samples, motion: [MOTION_COLUMNS[kind] + MOTION_EXTRA] },
        attrs: { kind },
      }),
    ),
  ),
  data: (c, rng) => exactSamples(c.inputs.samples!, c.attrs.kind, rng),
  forward({ samples, motion }, { samples: shape }, { kind }) {
    return { sums: summed(samples!, motion!, shape!, kind, termsOf(motion!)) };
  },
  // A lane adds up to 16 terms, then one more lane, and 32 pairs follow; a term itself rounds six times,
  // and w by four roundings of at most 1 each.
  bound(_name, { samples, motion }, { samples: shape }, { kind }) {
    const sizes = summed(samples!, motion!, shape!, kind, sizesOfTerms);
    return sizes.map((size) => 2 ** -24 * (80 * size + 1e-30));
  },
});

/** Rows of sums of the terms, a row for each piece. */
function summed(
  samples: Float64Array,
  motion: Float64Array,
  shape: Shape,
  kind: MotionAttrs["kind"],
  terms: Terms,
): Float64Array {
  const [, D = 0, H = 0, W = 0] = shape;
  const columns = sumsOf(kind);
  const sums = new Float64Array(Math.ceil((D * H * W) / PIECE) * columns);
  for (const [i, residual] of residuals(samples, motion, shape, kind)) {
    terms(residual).forEach((value, k) => {
      sums[Math.floor(i / PIECE) * columns + k]! += value;
    });
  }
  return sums;
}
