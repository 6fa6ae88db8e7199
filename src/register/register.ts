/**
 * Robust, symmetric registration of two scans of one head: both are sampled half-way between them, and
 * points that do not fit (lesions, jaw, neck) lose their weight. Reuter, Rosas & Fischl, NeuroImage 53
 * (2010) 1181; Nestares & Heeger, MRM 43 (2000) 705. Coarse to fine, deterministic.
 */
import type { MotionKind } from "../../kernels/registration/motion";
import { applyAffine, invertAffine, multiplyAffine, orientedBox, type Point3 } from "../data/affine";
import type { Affine, Grid, Volume } from "../data/volume";
import type { Memory } from "../gpu/memory";
import { affineHalf, rigidHalf } from "./half";
import { findHead, type Head, quantile } from "./head";
import { Pyramid, reduced } from "./pyramid";
import { about, exponential, translation } from "./rigid";
import { type Fit, PLACE_UNIT, type Pose, Step } from "./step";

export interface RegisterOptions {
  readonly kind?: MotionKind;
  /** World of visit 1 → world of visit 2 to start from; by default the heads' centres are put together. */
  readonly start?: Affine;
  /** Spacings of the points, mm, coarse to fine. */
  readonly levels?: readonly number[];
  readonly onStep?: (line: string) => void;
}

export interface Registration extends Pose {
  /** World of visit 1 → world of visit 2 (mm). */
  readonly transform: Affine;
  readonly fit: Fit;
  readonly steps: number;
}

const LEVELS = [8, 4, 2.5];
const MOST_STEPS = 30;
/** A level ends when a step moves the head by less, mm RMS. */
const CONVERGED = 0.01;

/** The change of `transform` and σ that a fit asks for. */
function moved(
  { toVisit1, toVisit2 }: Pose,
  fit: Fit,
  kind: MotionKind,
  centre: readonly number[],
) {
  const { motion } = fit;
  const U = about(centre, kind === "rigid" ? rigidMotion(motion) : affineMotion(motion));
  return multiplyAffine(toVisit2, multiplyAffine(U, invertAffine(toVisit1)));
}

const rigidMotion = (d: readonly number[]): Affine =>
  exponential([d[0]! / PLACE_UNIT, d[1]! / PLACE_UNIT, d[2]! / PLACE_UNIT, d[3]!, d[4]!, d[5]!]);

const affineMotion = (d: readonly number[]): Affine =>
  [0, 1, 2]
    .flatMap((r) => [
      ...[0, 1, 2].map((c) => (r === c ? 1 : 0) + d[3 * r + c]! / PLACE_UNIT),
      d[9 + r]!,
    ])
    .concat(0, 0, 0, 1);

export function halfOf(transform: Affine, kind: MotionKind): Affine {
  return kind === "rigid" ? rigidHalf(transform) : affineHalf(transform);
}

/** Root mean square distance (mm) between what two affines make of points. */
export function rmsDistance(a: Affine, b: Affine, points: readonly Point3[]): number {
  let sum = 0;
  for (const p of points) {
    const [q, r] = [applyAffine(a, p), applyAffine(b, p)];
    sum += (q[0] - r[0]) ** 2 + (q[1] - r[1]) ** 2 + (q[2] - r[2]) ** 2;
  }
  return Math.sqrt(sum / points.length);
}

/** Points `spacing` mm apart over both heads in the middle space, on the world's axes. */
function gridOver(heads: readonly Head[], pose: Pose, spacing: number): Grid {
  const places = heads.flatMap(({ points }, i) => {
    const back = invertAffine(i === 0 ? pose.toVisit1 : pose.toVisit2);
    return points.map((p) => applyAffine(back, p));
  });
  const ends = [0, 1, 2].map((axis) => {
    const sorted = Float64Array.from(places, (p) => p[axis]!).sort();
    return [quantile(sorted, 0.01), quantile(sorted, 0.99)] as const;
  });
  const corners = [0, 1].map((end): Point3 => [ends[0]![end]!, ends[1]![end]!, ends[2]![end]!]);
  return orientedBox(corners, spacing);
}

/** Aligns visit 2 to visit 1. Values may be of any brightness; the two need not share a grid. */
export async function register(
  memory: Memory,
  visit1: Volume,
  visit2: Volume,
  options: RegisterOptions = {},
): Promise<Registration | undefined> {
  const { kind = "rigid", levels = LEVELS, onStep } = options;
  const heads = [findHead(visit1), findHead(visit2)];
  const [head1, head2] = heads;
  if (!head1 || !head2) return undefined;
  let transform =
    options.start ?? translation([0, 1, 2].map((k) => head2.centre[k]! - head1.centre[k]!));
  const pyramids = [
    new Pyramid(memory, reduced(visit1, 1 / head1.median)),
    new Pyramid(memory, reduced(visit2, 1 / head2.median)),
  ] as const;
  let logScale = 0;
  let steps = 0;
  let result: Registration | undefined;
  const pose = (): Pose => {
    const half = halfOf(transform, kind);
    return { toVisit1: invertAffine(half), toVisit2: half, logScale };
  };
  try {
    for (const spacing of levels) {
      const pair = [await pyramids[0].level(spacing), await pyramids[1].level(spacing)] as const;
      const grid = gridOver([head1, head2], pose(), spacing);
      const step = await Step.create(memory, pair, kind, grid);
      try {
        for (let i = 0; i < MOST_STEPS; i++) {
          const at = pose();
          step.sample(at);
          const fit = await step.fit();
          if (!fit) return undefined;
          const next = moved(at, fit, kind, step.centre);
          const distance = rmsDistance(transform, next, head1.points);
          transform = next;
          logScale += fit.logScale;
          steps++;
          result = { ...pose(), transform, fit, steps };
          onStep?.(
            `${spacing} mm step ${i + 1}: moved ${distance.toFixed(4)} mm, scale ${fit.scale.toFixed(4)}, ` +
              `weight ${fit.meanWeight.toFixed(3)}, σ ${logScale.toFixed(4)}, ${fit.points} points`,
          );
          if (distance < CONVERGED) break;
        }
      } finally {
        step.release();
        for (const [k, level] of pair.entries()) pyramids[k]!.releaseLevel(level);
      }
    }
    return result;
  } finally {
    for (const pyramid of pyramids) pyramid.release();
  }
}
