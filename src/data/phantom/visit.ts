import { Philox } from "../../core/random";
import type { Size3 } from "../volume";
import { type Anatomy, type Probe, REFERENCE_EXTENT } from "./anatomy";
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

export interface Sampling {
  readonly size: Size3;
  /** Edge of the cubic voxels, mm. */
  readonly spacing: number;
}

/** One visit without lesions, noise or bias. Arrays are in voxel order, x fastest. */
export interface Rendering {
  readonly value: Float32Array;
  /** Share of white matter in each voxel, 0 to 1. */
  readonly white: Float32Array;
}

/** Draws the state of a patient at visit 0 or 1. */
export function drawVisit(seed: number, patient: number, visit: 0 | 1, extent: Point): Visit {
  const random = new Philox(seed, patient, 1 + visit);
  const jitter = () => 1 + 0.03 * clamp(random.normal(), -2, 2);
  const contrast: Contrast = {
    skin: 0.42 * jitter(),
    fat: random.uniform(0.65, 0.95),
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
    pose: drawPose(random, extent),
    atrophy: visit === 0 ? 0 : random.uniform(0, 0.25),
    contrast,
    scalp: randomField(random, extent, 12),
    cortex: randomField(random, extent, 7),
  };
}

/** Half of the residual misalignment: at most 0.35° about each axis and 0.25 mm along it. */
function drawPose(random: Philox, extent: Point): Pose {
  const degree = Math.PI / 180;
  const scale = Math.min(...extent.map((e, a) => e / REFERENCE_EXTENT[a]!));
  const draw = (limit: number): Point => [
    random.uniform(-limit, limit),
    random.uniform(-limit, limit),
    random.uniform(-limit, limit),
  ];
  return { angles: draw((0.35 * degree) / scale), shift: draw(0.25) };
}

/** Position of voxel (i, j, k) in mm, the origin in the centre of the field of view. */
export function voxelCentre(sampling: Sampling, i: number, j: number, k: number): Point {
  const { size, spacing } = sampling;
  return [
    (i - (size[0] - 1) / 2) * spacing,
    (j - (size[1] - 1) / 2) * spacing,
    (k - (size[2] - 1) / 2) * spacing,
  ];
}

/** Tissue intensities of one visit, with partial volume at every boundary. */
export function render(anatomy: Anatomy, visit: Visit, sampling: Sampling): Rendering {
  const [nx, ny, nz] = sampling.size;
  const value = new Float32Array(nx * ny * nz);
  const white = new Float32Array(value.length);
  const paint = painter(anatomy, visit, sampling.spacing);
  // Rotation to first order in the angles: at half a degree it is right to 0.005 mm.
  const [a, b, c] = visit.pose.angles;
  const [su, sv, sw] = visit.pose.shift;
  const [x0, y0, z0] = voxelCentre(sampling, 0, 0, 0);
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const x = x0 + i * sampling.spacing;
        const y = y0 + j * sampling.spacing;
        const z = z0 + k * sampling.spacing;
        const u = x - c * y + b * z + su;
        const v = c * x + y - a * z + sv;
        value[o] = paint(u, v, -b * x + a * y + z + sw, white, o);
      }
  return { value, white };
}

type Paint = (x: number, y: number, z: number, white: Float32Array, o: number) => number;

function painter(anatomy: Anatomy, visit: Visit, spacing: number): Paint {
  const { contrast: c } = visit;
  const probe: Probe = { pial: 0, ventricle: 0, nuclei: 0 };
  const inside = (d: number) => clamp(0.5 - d / spacing, 0, 1);
  const thickest = anatomy.fluidMm + anatomy.skullMm + anatomy.skinMm + 4 * anatomy.scale + spacing;
  return (x, y, z, white, o) => {
    const hull = anatomy.hullDistance(x, y, z);
    if (hull > thickest) return 0;
    let value = hull < -spacing ? c.fluid : shell(anatomy, visit, inside, hull, x, y, z);
    if (hull > spacing) return value;
    anatomy.probe(x, y, z, hull, visit.atrophy, probe);
    const grey = c.grey * (1 + 0.05 * visit.cortex.at(x, y, z));
    value = mix(value, grey, inside(-probe.pial));
    let share = inside(anatomy.cortexMm - probe.pial);
    const rim = c.rim * anatomy.rim(x, y, z, probe.ventricle);
    value = mix(value, c.white * (1 + 0.025 * anatomy.texture.at(x, y, z)) + rim, share);
    const nuclei = inside(probe.nuclei);
    const ventricle = inside(probe.ventricle);
    value = mix(mix(value, c.nuclei, nuclei), c.fluid, ventricle);
    share *= (1 - nuclei) * (1 - ventricle);
    white[o] = share;
    return value;
  };
}

/** Skin, fat, skull with marrow, venous sinus and fluid around the brain. */
function shell(
  anatomy: Anatomy,
  visit: Visit,
  inside: (d: number) => number,
  hull: number,
  x: number,
  y: number,
  z: number,
): number {
  const { contrast: c } = visit;
  const skull = anatomy.fluidMm + anatomy.skullMm;
  const skin = skull + anatomy.fatMm(x, y, z);
  const fat = c.fat * (1 + 0.15 * visit.scalp.at(x, y, z));
  let value = mix(0, c.skin, inside(hull - skin - anatomy.skinMm));
  value = mix(value, fat, inside(hull - skin));
  value = mix(value, c.bone, inside(hull - skull));
  const middle = Math.abs(hull - anatomy.fluidMm - anatomy.skullMm / 2);
  value = mix(value, c.marrow, inside(middle - 0.2 * anatomy.skullMm));
  value = mix(value, c.fluid, inside(hull - anatomy.fluidMm));
  const sinus = Math.hypot(x, hull - 0.5) - 2.2 * anatomy.scale;
  return z > 0 || y < 0 ? mix(value, c.sinus, inside(sinus)) : value;
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}
