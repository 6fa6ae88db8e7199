/** The small motion that the sums of registration are about, as residual_histogram.wgsl has it. */
import { elements, showShape, type Tensor } from "../../src/core/tensor";
import { SAMPLE_ROWS } from "./halfway_samples";

/** Unknowns: rotation or linear part, translation, intensity scale. */
export const MOTION_COLUMNS = { rigid: 7, affine: 13 } as const;
export type MotionKind = keyof typeof MOTION_COLUMNS;

/** Beside δ: step (3), origin (3) and width (1). */
export const MOTION_EXTRA = 7;

export interface MotionAttrs {
  readonly kind: MotionKind;
}

/** Sizes of the grid of samples. @throws Error where samples or motion have another shape */
export function motionSizes(op: string, samples: Tensor, motion: Tensor, kind: MotionKind) {
  const [rows, D = 0, H = 0, W = 0] = samples.shape;
  const wanted = MOTION_COLUMNS[kind] + MOTION_EXTRA;
  if (rows !== SAMPLE_ROWS || samples.shape.length !== 4 || elements(motion.shape) !== wanted) {
    throw new Error(
      `${op}: samples are ${showShape(samples.shape)}, motion is ${showShape(motion.shape)}; expected ` +
        `(${SAMPLE_ROWS}, D, H, W) and (${wanted})`,
    );
  }
  return { D, H, W };
}
