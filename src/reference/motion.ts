/** The Jacobian of a small motion in float64, and samples to test its sums with. */
import { SAMPLE_ROWS } from "../../kernels/registration/halfway_samples";
import { MOTION_COLUMNS, MOTION_EXTRA, type MotionKind } from "../../kernels/registration/motion";
import type { Philox } from "../core/random";
import type { Shape } from "../core/tensor";

export interface Residual {
  readonly r: number;
  /** Residual that the motion leaves: r − Jδ. */
  readonly e: number;
  readonly J: readonly number[];
}

/** The samples that count, with J and e, by the index of their point. */
export function residuals(
  samples: Float64Array,
  motion: Float64Array,
  shape: Shape,
  kind: MotionKind,
): Map<number, Residual> {
  const [, D = 0, H = 0, W = 0] = shape;
  const columns = MOTION_COLUMNS[kind];
  const count = D * H * W;
  const found = new Map<number, Residual>();
  for (let i = 0; i < count; i++) {
    const [r, gx, gy, gz, m, counts] = Array.from(
      { length: SAMPLE_ROWS },
      (_, k) => samples[k * count + i]!,
    ) as [number, number, number, number, number, number];
    if (counts === 0) continue;
    const row = Math.floor(i / W);
    const at = [i % W, row % H, Math.floor(row / H)];
    const [x = 0, y = 0, z = 0] = at.map(
      (v, k) => motion[columns + k]! * v + motion[columns + 3 + k]!,
    );
    const linear =
      kind === "rigid"
        ? [y * gz - z * gy, z * gx - x * gz, x * gy - y * gx]
        : [gx, gy, gz].flatMap((g) => [g * x, g * y, g * z]);
    const J = [...linear, gx, gy, gz, m];
    const e = J.reduce((sum, v, c) => sum - v * motion[c]!, r);
    found.set(i, { r, e, J });
  }
  return found;
}

/** Multiples of 1 / `of`, from −`most` to `most`: sums and products of them are exact in float32. */
const dyadic = (rng: Philox, most: number, of: number) =>
  (rng.int(2 * most * of + 1) - most * of) / of;

/** Samples of which a sixth does not count, and a motion: every residual is exact in float32. */
export function exactSamples(shape: Shape, kind: MotionKind, rng: Philox) {
  const [, D = 0, H = 0, W = 0] = shape;
  const count = D * H * W;
  const rows = Array.from({ length: SAMPLE_ROWS - 1 }, () =>
    Array.from({ length: count }, () => dyadic(rng, 1, 8)),
  );
  const counts = Array.from({ length: count }, () => (rng.int(6) === 0 ? 0 : 1));
  const delta = Array.from({ length: MOTION_COLUMNS[kind] }, () => dyadic(rng, 1, 8) / 4);
  // Steps, origin; the width is set by who needs it.
  const extra = [0.125, 0.25, 0.125, -0.5, -0.25, -0.375, 2];
  if (extra.length !== MOTION_EXTRA) throw new Error("motion: one number for each extra");
  const samples = Float64Array.from([...rows.flat(), ...counts]);
  return { samples, motion: Float64Array.from([...delta, ...extra]) };
}
