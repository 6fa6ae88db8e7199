import { Philox } from "../../core/random";
import { REFERENCE_EXTENT } from "./anatomy";
import { clamp, type Field, type Point, randomField } from "./fields";

/** FLAIR-like intensities of tissues, in units where a tissue at 1 is the brightest fat. */
export interface Contrast {
  readonly skin: number;
  readonly fat: number;
  readonly bone: number;
  readonly marrow: number;
  readonly fluid: number;
  readonly grey: number;
  readonly nuclei: number;
  readonly white: number;
  readonly rim: number;
  readonly sinus: number;
}

/** Everything that differs between the two visits of one patient. */
export interface Visit {
  /** Grid position → anatomical position, mm: a small rotation and shift. */
  readonly pose: Pose;
  /** Widening of sulci and ventricles, mm. */
  readonly atrophy: number;
  readonly contrast: Contrast;
  /** Relative brightness change of the scalp and of the cortex, unit variance. */
  readonly scalp: Field;
  readonly cortex: Field;
}

/** Rotation angles in radians about x, y, z, and the shift in mm that follows. */
export interface Pose {
  readonly angles: Point;
  readonly shift: Point;
}

/** Draws the state of a patient at visit 0 or 1. */
export function drawVisit(seed: number, patient: number, visit: 0 | 1, extent: Point): Visit {
  const random = new Philox(seed, patient, 1 + visit);
  const jitter = () => 1 + 0.03 * clamp(random.normal(), -2, 2);
  const contrast: Contrast = {
    skin: 0.42 * jitter(),
    fat: random.uniform(0.72, 0.86),
    bone: 0.05,
    marrow: random.uniform(0.22, 0.34),
    fluid: random.uniform(0.08, 0.14),
    grey: 0.67 * jitter(),
    nuclei: 0.62 * jitter(),
    white: 0.48 * jitter(),
    rim: random.uniform(0.17, 0.22),
    sinus: random.uniform(0.1, 0.8),
  };
  return {
    pose: drawPose(seed, patient, visit, extent),
    atrophy: visit === 0 ? 0 : random.uniform(0, 0.25),
    contrast,
    scalp: randomField(random, extent, 12),
    cortex: randomField(random, extent, 7),
  };
}

/**
 * Half of the residual misalignment: up to 0.45° about each axis and 0.35 mm along it. The visits
 * move in opposite senses, so that no patient is aligned by luck.
 */
function drawPose(seed: number, patient: number, visit: 0 | 1, extent: Point): Pose {
  const random = new Philox(seed, patient, 7);
  const degree = Math.PI / 180;
  const scale = Math.min(...extent.map((e, a) => e / REFERENCE_EXTENT[a]!));
  const part = (limit: number) => {
    const size = limit * random.uniform(0.4, 1);
    return random.int(2) === visit ? size : -size;
  };
  const turn = (0.45 * degree) / scale;
  return {
    angles: [part(turn), part(turn), part(turn)],
    shift: [part(0.35), part(0.35), part(0.35)],
  };
}

/** Anatomical position of a grid position at a visit, mm. */
export function toAnatomy({ pose }: Visit, x: number, y: number, z: number): Point {
  // First order in the angles: at half a degree it is right to 0.005 mm.
  const [a, b, c] = pose.angles;
  const [u, v, w] = pose.shift;
  return [x - c * y + b * z + u, c * x + y - a * z + v, -b * x + a * y + z + w];
}
