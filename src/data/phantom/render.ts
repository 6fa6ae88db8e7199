import type { Anatomy, Probe } from "./anatomy";
import { clamp } from "./fields";
import { type Sampling, voxelCentre } from "./sampling";
import { toAnatomy, type Visit } from "./visit";

/** One visit without lesions, noise or bias. Arrays are in voxel order, x fastest. */
export interface Rendering {
  readonly value: Float32Array;
  /** Share of white matter in each voxel, 0 to 1. */
  readonly white: Float32Array;
}

/** Tissue intensities of one visit, with partial volume at every boundary. */
export function render(anatomy: Anatomy, visit: Visit, sampling: Sampling): Rendering {
  const [nx, ny, nz] = sampling.size;
  const value = new Float32Array(nx * ny * nz);
  const white = new Float32Array(value.length);
  const paint = painter(anatomy, visit, sampling.spacing);
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const [x, y, z] = voxelCentre(sampling, i, j, k);
        const [u, v, w] = toAnatomy(visit, x, y, z);
        value[o] = paint(u, v, w, white, o);
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
    const grey = c.grey * (1 + 0.09 * visit.cortex.at(x, y, z));
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
  const fat = c.fat * (1 + 0.1 * visit.scalp.at(x, y, z));
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
