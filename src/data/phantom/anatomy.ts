import { Philox } from "../../core/random";
import { clamp, Field, lattice, type Point, randomField } from "./fields";

/** Half axes of the brain's hull in mm, for the reference field of view of 104 × 128 × 80 mm. */
const HULL: Point = [40, 52, 44];
export const REFERENCE_EXTENT: Point = [104, 128, 80];
/** The hull's centre lies this far below the centre of the field of view, mm. */
const HULL_DROP = 16;
const CORTEX_MM = 2.3;
const SKIN_MM = 1.3;
/** Knot distance of the random field whose zero set is the sulci: about one every 9 mm. */
const GYRUS_KNOT_MM = 3.4;

/** Stands for a distance that is too large to matter. */
const FAR_MM = 20;

/** One lateral ventricle, from the frontal to the occipital tip: x, y, z, radius in mm. */
const LATERAL_VENTRICLE = [
  [5.5, 18, 4, 1.3],
  [5, 12, 7, 2.7],
  [4.5, 2, 9, 2.3],
  [6, -9, 9, 2.6],
  [9, -17, 6, 3.2],
  [11.5, -24, 3, 1.3],
] as const;
const THIRD_VENTRICLE = [
  [0, 4, -6, 0.9],
  [0, -8, -4, 1.2],
] as const;
/** Deep grey nuclei (caudate, putamen, thalamus) as ellipsoids: centre and half axes in mm. */
const NUCLEI = [
  [8.5, 13, 4, 2.2, 5, 4.5],
  [15.5, 3, -1, 2.8, 8, 6],
  [6.5, -7, -2, 4.2, 6.5, 5],
] as const;

/** The distances of a point from the surfaces, in mm. */
export interface Probe {
  /** Depth under the pial surface (hull, sulci, fissure), negative in the fluid outside. */
  pial: number;
  /** Distance from the ventricles, negative inside. */
  ventricle: number;
  /** Distance from the deep grey nuclei, negative inside. */
  nuclei: number;
}

/** The geometry of one head, fixed by its random stream; it scales with the field of view. */
export class Anatomy {
  readonly scale: number;
  readonly cortexMm = CORTEX_MM;
  readonly skinMm = SKIN_MM;
  readonly fluidMm: number;
  readonly skullMm: number;
  readonly texture: Field;
  private readonly axes: Point;
  private readonly bulge: Field;
  private readonly fat: Field;
  private readonly sulcusDepth: Field;
  private readonly sheet: Field;
  private readonly ventricles: Field;

  constructor(seed: number, patient: number, extent: Point) {
    const random = new Philox(seed, patient, 0);
    this.scale = Math.min(...extent.map((e, a) => e / REFERENCE_EXTENT[a]!));
    this.axes = HULL.map((a) => a * this.scale * random.uniform(0.97, 1.01)) as unknown as Point;
    this.fluidMm = random.uniform(1.2, 2);
    this.skullMm = this.scale * random.uniform(3.6, 4.6);
    this.bulge = randomField(random, extent, 26 * this.scale);
    this.fat = randomField(random, extent, 18 * this.scale);
    this.texture = randomField(random, extent, 9);
    this.sulcusDepth = randomField(random, extent, 14);
    this.sheet = this.tabulateSheet(random, extent);
    this.ventricles = this.tabulateVentricles(random, extent);
  }

  /** Thickness of the fat under the skin at a point, mm. */
  fatMm(x: number, y: number, z: number): number {
    return this.scale * clamp(2.4 + 0.7 * this.fat.at(x, y, z), 0.8, 4);
  }

  /** Distance from the hull alone, positive outside: cheap, for telling head from background. */
  hullDistance(x: number, y: number, z: number): number {
    const [a, b, c] = this.axes;
    const w = z + HULL_DROP * this.scale;
    // Wider behind than in front, as heads are.
    const u = (x / a) * (1 + 0.07 * (y / b));
    const v = y / b;
    const t = w / c;
    const k0 = Math.sqrt(u * u + v * v + t * t);
    const k1 = Math.sqrt((u / a) ** 2 + (v / b) ** 2 + (t / c) ** 2);
    return (k0 * (k0 - 1)) / (k1 + 1e-9) - 0.8 * this.bulge.at(x, y, z);
  }

  /** Fills `out` for a point under the hull; `atrophy` widens sulci and ventricles (mm). */
  probe(x: number, y: number, z: number, hull: number, atrophy: number, out: Probe): Probe {
    const fissure = this.fissure(x, y, z) - 0.5 * atrophy;
    const outer = Math.min(-hull, fissure);
    const depth = this.scale * clamp(8.5 + 2.5 * this.sulcusDepth.at(x, y, z), 3, 13);
    // Sulci of the medial wall are shallow.
    const beyond = Math.max(0, Math.min(-hull, 2 * fissure) - depth);
    const sheet = this.sheet.at(x, y, z);
    const width = 0.45 + 0.5 * atrophy;
    out.pial = Math.min(outer, Math.sqrt(sheet * sheet + beyond * beyond) - width);
    const deep = hull < -10 * this.scale;
    out.ventricle = deep ? this.ventricles.at(x, y, z) - atrophy : FAR_MM;
    out.nuclei = deep ? this.nucleiDistance(x, y, z) : FAR_MM;
    return out;
  }

  /** Bright rims and caps of the ventricles in healthy white matter, 0 to about 1. */
  rim(x: number, y: number, z: number, ventricle: number): number {
    if (ventricle > 8) return 0;
    const s = this.scale;
    const u = Math.abs(x) / s;
    const front = Math.exp(-((u - 7) ** 2 + (y / s - 19) ** 2 + (this.up(z) - 4.5) ** 2) / 12);
    const back = Math.exp(-((u - 12) ** 2 + (y / s + 24) ** 2 + (this.up(z) - 4) ** 2) / 14);
    return 0.35 * Math.exp(-Math.max(ventricle, 0) / 1.3) + front + back;
  }

  /** Height above the hull's centre in reference mm. */
  private up(z: number): number {
    return z / this.scale + HULL_DROP;
  }

  /** Distance from the interhemispheric fissure, which ends above the corpus callosum. */
  private fissure(x: number, y: number, z: number): number {
    const s = this.scale;
    const bent = x - 0.6 * this.bulge.at(y, z, x);
    const inside = Math.max(0, 1 - Math.hypot(y / (25 * s), (this.up(z) - 3) / 13)) * 13 * s;
    return Math.hypot(Math.max(Math.abs(bent) - 0.4, 0), 1.5 * inside);
  }

  private nucleiDistance(x: number, y: number, z: number): number {
    const s = this.scale;
    let nearest = FAR_MM;
    for (const [cx, cy, cz, a, b, c] of NUCLEI) {
      const u = (Math.abs(x) / s - cx) / a;
      const v = (y / s - cy) / b;
      const w = (this.up(z) - cz) / c;
      const k0 = Math.sqrt(u * u + v * v + w * w);
      nearest = Math.min(nearest, (k0 - 1) * Math.min(a, b, c) * s);
    }
    return nearest;
  }

  /**
   * Signed distance from the sulci: sheets that run radially into the brain, the zero set of a
   * random field which hardly changes along the radius.
   */
  private tabulateSheet(random: Philox, extent: Point): Field {
    const [a, b, c] = this.axes;
    const noise = randomField(
      random,
      [2.2 * a, 2.2 * b, 2.2 * c],
      GYRUS_KNOT_MM * this.scale ** 0.5,
    );
    const raw = lattice(extent, 1, (x, y, z) => {
      const w = z + HULL_DROP * this.scale;
      const k = Math.sqrt((x / a) ** 2 + (y / b) ** 2 + (w / c) ** 2) + 0.05;
      if (k > 1.2) return 1; // outside the brain
      const stretch = k ** -0.75;
      return noise.at(x * stretch, y * stretch, w * stretch);
    });
    return signedDistance(raw);
  }

  private tabulateVentricles(random: Philox, extent: Point): Field {
    const wall = randomField(random, extent, 5);
    const size = random.uniform(1, 1.5);
    const shift = [random.uniform(-0.7, 0.7), random.uniform(-0.7, 0.7)] as const;
    return lattice(extent, 1, (x, y, z) => {
      const left = x < 0 ? shift[0] : shift[1];
      const p: Point = [Math.abs(x) / this.scale, y / this.scale - left, this.up(z)];
      if (p[0] > 30 || Math.abs(p[1] + 3) > 42 || p[2] > 30 || p[2] < -25) return FAR_MM;
      const lateral = chainDistance(p, LATERAL_VENTRICLE, size);
      const third = chainDistance(p, THIRD_VENTRICLE, 1);
      return Math.min(lateral, third) * this.scale - 0.35 * wall.at(x, y, z);
    });
  }
}

/** Distance from a chain of capsules that are taller than wide. */
function chainDistance(p: Point, chain: readonly (readonly number[])[], size: number): number {
  let nearest = FAR_MM;
  for (let i = 0; i + 1 < chain.length; i++) {
    const [ax, ay, az, ar] = chain[i] as [number, number, number, number];
    const [bx, by, bz, br] = chain[i + 1] as [number, number, number, number];
    const ux = bx - ax;
    const uy = by - ay;
    const uz = bz - az;
    const t = clamp(
      ((p[0] - ax) * ux + (p[1] - ay) * uy + (p[2] - az) * uz) / (ux * ux + uy * uy + uz * uz),
      0,
      1,
    );
    const dz = 0.7 * (p[2] - az - t * uz);
    const d = Math.sqrt((p[0] - ax - t * ux) ** 2 + (p[1] - ay - t * uy) ** 2 + dz * dz);
    nearest = Math.min(nearest, d - size * (ar + t * (br - ar)));
  }
  return nearest;
}

/** Field value over its gradient: to first order the distance from its zero set; at most 6 mm. */
function signedDistance(field: Field): Field {
  const [nx, ny, nz] = field.size;
  const data = field.data;
  const out = new Float32Array(data.length);
  const plane = nx * ny;
  const scale = 2 * field.step;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++) {
        const o = k * plane + j * nx + i;
        const gx = data[i + 1 < nx ? o + 1 : o]! - data[i > 0 ? o - 1 : o]!;
        const gy = data[j + 1 < ny ? o + nx : o]! - data[j > 0 ? o - nx : o]!;
        const gz = data[k + 1 < nz ? o + plane : o]! - data[k > 0 ? o - plane : o]!;
        const slope = Math.sqrt(gx * gx + gy * gy + gz * gz) / scale;
        out[o] = clamp(data[o]! / (slope + 0.02), -6, 6);
      }
  return new Field(field.size, field.origin, field.step, out);
}
