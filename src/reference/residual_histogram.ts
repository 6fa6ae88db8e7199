import { MOTION_COLUMNS, MOTION_EXTRA, type MotionAttrs } from "../../kernels/registration/motion";
import { HISTOGRAM, residualHistogram } from "../../kernels/registration/residual_histogram";
import type { Shape } from "../core/tensor";
import { exactSamples, residuals } from "./motion";
import { type Case, defineReference } from "./reference";

const shapes: Record<string, Shape> = {
  small: [6, 5, 6, 7],
  one_point: [6, 1, 1, 1],
  three_pieces: [6, 17, 31, 33],
};

export const residualHistogramReference = defineReference<MotionAttrs>({
  op: residualHistogram,
  cases: Object.entries(shapes).flatMap(([id, samples]) =>
    (["rigid", "affine"] as const).map(
      (kind): Case<MotionAttrs> => ({
        id: `${id}_${kind}`,
        inputs: { samples, motion: [MOTION_COLUMNS[kind] + MOTION_EXTRA] },
        attrs: { kind },
      }),
    ),
  ),
  types: { counts: "u32" },
  data: (c, rng) => exactSamples(c.inputs.samples!, c.attrs.kind, rng),
  forward({ samples, motion }, { samples: shape }, { kind }) {
    const { bins, limit, piece } = HISTOGRAM;
    const [, D = 0, H = 0, W = 0] = shape!;
    const counts = new Float64Array(Math.ceil((D * H * W) / piece) * bins);
    for (const [i, { e }] of residuals(samples!, motion!, shape!, kind)) {
      const bin = Math.floor((e / limit + 1) * (bins / 2));
      counts[Math.floor(i / piece) * bins + Math.min(Math.max(bin, 0), bins - 1)]!++;
    }
    return { counts };
  },
  bound: () => 0,
});
