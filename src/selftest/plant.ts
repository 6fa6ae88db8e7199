/** Lesions of known size planted into the white matter of a scan: soft ellipsoids, brighter than what is around. */
import type { Philox } from "../core/random";
import { applyAffine, invertAffine, voxelVolume } from "../data/affine";
import { type Volume, voxelAt, voxelSize } from "../data/volume";
import { smoothstep, type Tissue } from "../synthesis/tissue";

export type Point = readonly [x: number, y: number, z: number];

/** A lesion that was planted. */
export interface Planted {
  /** Diameter of the sphere of its volume, mm. */
  readonly sizeMm: number;
  /** Voxels that it fills by half or more; those that it touches at all. */
  readonly voxels: Int32Array;
  readonly touched: Int32Array;
  /** In the world, mm. */
  readonly centreMm: Point;
}

/** Width of the rim from outside to inside, mm. */
const RIM_MM = 0.8;
/** Edge of the finest part of a voxel that counts for partial volume, mm. */
const PART_MM = 0.6;
/** Between the surfaces of two planted lesions, mm: further than any detector smooths. */
const APART_MM = 16;
/** Places that are tried for one lesion. */
const TRIES = 400;
/** Spread of the logarithms of the half axes: longest to shortest is 1.5 in the median or so. */
const OVAL = 0.15;

/** Shares of the planted lesion's volume that may be no plain white matter. */
const LEAST_WHITE = 0.6;
const MOST_FLUID = 0.15;
const MOST_OTHER = 0.04;
/** Tissue of this level above air, of white matter, is a lesion already. */
const LESION_LEVEL = 1.25;

/**
 * Plants lesions far from each other and from what is taken. One that fits nowhere is left out.
 * @param contrast of a lesion above white matter, in units of white matter above air
 * @returns the scan with them, and the lesions
 */
export function plant(
  image: Volume,
  tissue: Tissue,
  taken: Uint8Array,
  { sizes, contrast }: { readonly sizes: readonly number[]; readonly contrast: number },
  random: Philox,
): { readonly image: Volume; readonly lesions: readonly Planted[] } {
  const places = indicesOf(tissue.plausible);
  const data = image.data.slice();
  const lesions: Planted[] = [];
  // The largest first: they fit in fewer places.
  for (const sizeMm of sizes.toSorted((a, b) => b - a)) {
    const found = placeFor(sizeMm, { image, tissue, taken, places, lesions }, random);
    if (!found) continue;
    paint(data, tissue, found, contrast);
    lesions.push(found);
  }
  return { image: { ...image, data }, lesions };
}

function indicesOf(mask: Uint8Array): Int32Array {
  const found: number[] = [];
  for (let i = 0; i < mask.length; i++) if (mask[i]) found.push(i);
  return Int32Array.from(found);
}

interface Ground {
  readonly image: Volume;
  readonly tissue: Tissue;
  readonly taken: Uint8Array;
  readonly places: Int32Array;
  readonly lesions: readonly Planted[];
}

interface Placed extends Planted {
  /** Of the touched voxels: the share that the lesion fills. */
  readonly share: Float32Array;
}

function placeFor(sizeMm: number, ground: Ground, random: Philox): Placed | undefined {
  const { image, tissue, taken, places, lesions } = ground;
  if (places.length === 0) return undefined;
  for (let trial = 0; trial < TRIES; trial++) {
    const i = places[random.int(places.length)]!;
    if (taken[i]) continue;
    const voxel: Point = voxelAt(i, image.size);
    const inside = voxel.map((v) => v + random.uniform(-0.5, 0.5)) as unknown as Point;
    const centreMm = applyAffine(image.affine, inside) as Point;
    const isFar = lesions.every(
      (other) =>
        Math.hypot(...centreMm.map((v, axis) => v - other.centreMm[axis]!)) >
        APART_MM + (sizeMm + other.sizeMm) / 2,
    );
    if (!isFar) continue;
    const found = ellipsoid(image, sizeMm, centreMm, random);
    if (fits(found, tissue, taken)) return found;
  }
  return undefined;
}

/** An ellipsoid of the sphere's volume, its axes along random directions. */
function ellipsoid(image: Volume, sizeMm: number, centreMm: Point, random: Philox): Placed {
  const logs = [0, 1, 2].map(() => OVAL * random.normal());
  const mean = (logs[0]! + logs[1]! + logs[2]!) / 3;
  const radii = logs.map((v) => (sizeMm / 2) * Math.exp(v - mean));
  const axes = rotation(random);
  const reach = Math.max(...radii) + RIM_MM;
  const edges = voxelSize(image.affine);
  const centre = applyAffine(invertAffine(image.affine), centreMm);
  const parts = edges.map((edge) => Math.max(1, Math.ceil(edge / PART_MM)));
  const low = centre.map((v, k) => Math.max(0, Math.floor(v - reach / edges[k]!)));
  const high = centre.map((v, k) => Math.min(image.size[k]! - 1, Math.ceil(v + reach / edges[k]!)));
  const inside = (at: Point) => {
    const away = applyAffine(image.affine, at).map((v, k) => v - centreMm[k]!);
    const scaled = axes.map((axis, k) => axis.reduce((s, v, j) => s + v * away[j]!, 0) / radii[k]!);
    return smoothstep(((1 - Math.hypot(...scaled)) * sizeMm) / 2 / RIM_MM + 0.5);
  };
  const [touched, share]: [number[], number[]] = [[], []];
  for (let z = low[2]!; z <= high[2]!; z++) {
    for (let y = low[1]!; y <= high[1]!; y++) {
      for (let x = low[0]!; x <= high[0]!; x++) {
        const part = meanOver([x, y, z], parts, inside);
        if (part === 0) continue;
        touched.push((z * image.size[1] + y) * image.size[0] + x);
        share.push(part);
      }
    }
  }
  const voxels = touched.filter((_, k) => share[k]! >= 0.5);
  return {
    ...{ sizeMm, centreMm, voxels: Int32Array.from(voxels) },
    ...{ touched: Int32Array.from(touched), share: Float32Array.from(share) },
  };
}

/** Mean of a function over parts of a voxel: partial volume. */
function meanOver([x, y, z]: Point, parts: readonly number[], of: (at: Point) => number): number {
  const [px, py, pz] = parts as [number, number, number];
  let sum = 0;
  for (let c = 0; c < pz; c++) {
    for (let b = 0; b < py; b++) {
      for (let a = 0; a < px; a++) {
        sum += of([x + (a + 0.5) / px - 0.5, y + (b + 0.5) / py - 0.5, z + (c + 0.5) / pz - 0.5]);
      }
    }
  }
  return sum / (px * py * pz);
}

/** Three orthonormal axes, of a random unit quaternion. */
function rotation(random: Philox): Point[] {
  const q = [0, 1, 2, 3].map(() => random.normal());
  const length = Math.hypot(...q);
  const [w, x, y, z] = q.map((v) => v / length) as [number, number, number, number];
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
    [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
    [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
  ];
}

function fits({ voxels, touched, share }: Placed, tissue: Tissue, taken: Uint8Array): boolean {
  if (voxels.length === 0) return false;
  let [total, white, fluid, other] = [0, 0, 0, 0];
  for (const [k, i] of touched.entries()) {
    const part = share[k]!;
    total += part;
    if (tissue.plausible[i]) white += part;
    fluid += part * tissue.fluid[i]!;
    if (taken[i] || tissue.relative[i]! > LESION_LEVEL) other += part;
  }
  return white > LEAST_WHITE * total && fluid < MOST_FLUID * total && other < MOST_OTHER * total;
}

/** What it covers is lifted to its level, as far as it fills a voxel; the scan's own noise stays. */
function paint(
  data: Float32Array,
  { air, level, relative, fluid }: Tissue,
  { touched, share }: Placed,
  contrast: number,
): void {
  for (const [k, i] of touched.entries()) {
    const lift = Math.max(0, 1 + contrast - relative[i]!);
    data[i]! += share[k]! * (1 - fluid[i]!) * lift * (level[i]! - air);
  }
}

/** Volume of the voxels that a lesion fills by half or more, mm³. */
export const plantedMm3 = ({ voxels }: Planted, image: Volume): number =>
  voxels.length * voxelVolume(image.affine);
