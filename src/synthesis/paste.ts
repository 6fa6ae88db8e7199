/** Lesions painted into white matter, and lesions taken out of it. */
import type { Philox } from "../core/random";
import { applyAffine, invertAffine, multiplyAffine } from "../data/affine";
import { gaussian, inVoxels, weightedMean } from "../data/smooth";
import type { Affine, Mask, Size3, Volume } from "../data/volume";
import { connectedComponents } from "../eval/components";
import type { LesionShape, Point } from "./shape";
import { smoothstep, type Tissue } from "./tissue";

/** Voxels of a lesion in its recipient, with the share that it fills of each and its texture there. */
export interface Footprint {
  readonly voxels: Int32Array;
  readonly share: Float32Array;
  readonly texture: Float32Array;
}

export interface Pose {
  /** Recipient's world, mm. */
  readonly centre: Point;
  /** Rows of the 3 × 3 matrix from the recipient's world to the donor's, about the centre. */
  readonly turn: readonly number[];
}

/** Width of the step from outside to inside, in units of the soft mask. */
const STEP = 0.5;
/** Edge of the finest part of a voxel that counts for partial volume, mm. */
const PART_MM = 0.8;
/** Share from which a voxel is lesion. */
const LABEL_SHARE = 0.5;
/** Least volume of a labelled lesion, mm³: about 3 mm across, as criteria of MS ask for. */
const LEAST_MM3 = 12;

/** Mean lift of the labelled voxels from which a lesion can be seen, of white matter above air. */
const LEAST_SEEN = 0.22;

/** A turn of up to 15° about each axis, a size of 0.85 to 1.2, mirrored or not. */
export function drawTurn(random: Philox, mirrored: boolean): number[] {
  const scale = random.uniform(0.85, 1.2);
  const [a, b, c] = [0, 1, 2].map(() => (random.uniform(-15, 15) * Math.PI) / 180);
  const [ca, sa, cb, sb, cc, sc] = [a, b, c].flatMap((v) => [Math.cos(v!), Math.sin(v!)]) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const m = [
    ...[cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc],
    ...[cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc],
    ...[-sb, sa * cb, ca * cb],
  ];
  return m.map((v, i) => ((i < 3 && mirrored ? -1 : 1) * v) / scale);
}

/** The place of a lesion of this pose in an image, by the geometry of both alone. */
export function footprint(image: Volume, shape: LesionShape, { centre, turn }: Pose): Footprint {
  const turned: Affine = [
    ...[turn[0]!, turn[1]!, turn[2]!, 0],
    ...[turn[3]!, turn[4]!, turn[5]!, 0],
    ...[turn[6]!, turn[7]!, turn[8]!, 0],
    ...[0, 0, 0, 1],
  ];
  const away: Affine = [1, 0, 0, -centre[0], 0, 1, 0, -centre[1], 0, 0, 1, -centre[2], 0, 0, 0, 1];
  const toBox = multiplyAffine(
    invertAffine(shape.toCentre),
    multiplyAffine(turned, multiplyAffine(away, image.affine)),
  );
  const [low, high] = bounds(invertAffine(toBox), shape.size, image.size);
  const parts = partsOf(image.affine);
  const width = STEP * Math.min(1, 1.6 * (Math.max(...shape.soft) - shape.border));
  const found: [number[], number[], number[]] = [[], [], []];
  for (let z = low[2]; z <= high[2]; z++) {
    for (let y = low[1]; y <= high[1]; y++) {
      for (let x = low[0]; x <= high[0]; x++) {
        let [share, texture] = [0, 0];
        for (const [dx, dy, dz] of parts) {
          const at = applyAffine(toBox, [x + dx, y + dy, z + dz]);
          const soft = trilinear(shape.soft, shape.size, at);
          const inside = smoothstep((soft - shape.border) / width + 0.5);
          share += inside;
          if (inside > 0) texture += inside * trilinear(shape.texture, shape.size, at);
        }
        if (share === 0) continue;
        found[0].push((z * image.size[1] + y) * image.size[0] + x);
        found[1].push(share / parts.length);
        found[2].push(texture / share);
      }
    }
  }
  return {
    voxels: Int32Array.from(found[0]),
    share: Float32Array.from(found[1]),
    texture: Float32Array.from(found[2]),
  };
}

/** Voxels of the image that the box can reach. */
function bounds(toImage: Affine, box: Size3, size: Size3) {
  const low: [number, number, number] = [...size];
  const high: [number, number, number] = [-1, -1, -1];
  for (let corner = 0; corner < 8; corner++) {
    const at = applyAffine(toImage, [
      corner & 1 ? box[0] - 1 : 0,
      corner & 2 ? box[1] - 1 : 0,
      corner & 4 ? box[2] - 1 : 0,
    ]);
    at.forEach((v, axis) => {
      low[axis] = Math.max(0, Math.min(low[axis]!, Math.floor(v)));
      high[axis] = Math.min(size[axis]! - 1, Math.max(high[axis]!, Math.ceil(v)));
    });
  }
  return [low, high] as const;
}

/** Offsets of the parts of a voxel, in voxels. */
function partsOf(affine: Affine): Point[] {
  const counts = [0, 1, 2].map((c) =>
    Math.max(1, Math.ceil(Math.hypot(affine[c]!, affine[4 + c]!, affine[8 + c]!) / PART_MM)),
  );
  const along = counts.map((n) => Array.from({ length: n }, (_, i) => (i + 0.5) / n - 0.5));
  return along[2]!.flatMap((z) => along[1]!.flatMap((y) => along[0]!.map((x): Point => [x, y, z])));
}

/** Outside the volume: 0. */
export function trilinear(values: Float32Array, [nx, ny, nz]: Size3, [x, y, z]: Point): number {
  const [i, j, k] = [Math.floor(x), Math.floor(y), Math.floor(z)];
  const [fx, fy, fz] = [x - i, y - j, z - k];
  let sum = 0;
  for (let corner = 0; corner < 8; corner++) {
    const [a, b, c] = [i + (corner & 1), j + ((corner >> 1) & 1), k + (corner >> 2)];
    if (a < 0 || b < 0 || c < 0 || a >= nx || b >= ny || c >= nz) continue;
    const w = (corner & 1 ? fx : 1 - fx) * (corner & 2 ? fy : 1 - fy) * (corner & 4 ? fz : 1 - fz);
    sum += w * values[(c * ny + b) * nx + a]!;
  }
  return sum;
}

/** Whether the place is white matter all through, without fluid, other lesions or the border. */
export function fits({ voxels, share }: Footprint, tissue: Tissue, taken: Uint8Array): boolean {
  let [total, white, fluid, other] = [0, 0, 0, 0];
  for (const [k, i] of voxels.entries()) {
    const s = share[k]!;
    total += s;
    if (tissue.plausible[i]) white += s;
    fluid += s * tissue.fluid[i]!;
    if (taken[i] || tissue.relative[i]! > 1.25) other += s;
  }
  return total > 0 && white > 0.6 * total && fluid < 0.15 * total && other < 0.04 * total;
}

/**
 * Paints a lesion: what it covers is lifted to its own level above the white matter that was there, as
 * far as it fills a voxel and the voxel is not fluid; the image's own noise stays.
 * @param contrast of its body, in units of white matter above air
 * @returns the labelled voxels: none where too little came of it
 */
export function paint(
  data: Float32Array,
  tissue: Tissue,
  { voxels, share, texture }: Footprint,
  contrast: number,
): Int32Array {
  const { air, level, relative, fluid, size, edges } = tissue;
  const under = share.reduce((sum, s, k) => sum + s * relative[voxels[k]!]!, 0);
  const base = under / share.reduce((sum, s) => sum + s, 0);
  const labels: number[] = [];
  const lifts = new Float32Array(voxels.length);
  for (const [k, i] of voxels.entries()) {
    const covered = share[k]! * (1 - fluid[i]!);
    const lift = base + contrast * texture[k]! - relative[i]!;
    if (lift <= 0) continue;
    lifts[k] = covered * lift * (level[i]! - air);
    if (covered >= LABEL_SHARE) labels.push(i);
  }
  const kept = largestPart(labels, size);
  if (kept.length * edges[0] * edges[1] * edges[2] < LEAST_MM3) return new Int32Array();
  const labelled = new Set(kept);
  let seen = 0;
  for (const [k, i] of voxels.entries()) {
    if (labelled.has(i)) seen += lifts[k]! / (level[i]! - air);
  }
  if (seen < LEAST_SEEN * kept.length) return new Int32Array();
  for (const [k, i] of voxels.entries()) data[i]! += lifts[k]!;
  return kept;
}

function largestPart(voxels: readonly number[], size: Size3): Int32Array {
  if (voxels.length === 0) return new Int32Array();
  const least = voxels.reduce((a, b) => Math.min(a, b));
  const most = voxels.reduce((a, b) => Math.max(a, b));
  const plane = size[0] * size[1];
  const first = Math.floor(least / plane);
  const slab = new Uint8Array(plane * (Math.floor(most / plane) - first + 1));
  for (const i of voxels) slab[i - first * plane] = 1;
  const planes: Size3 = [size[0], size[1], slab.length / plane];
  const parts = connectedComponents(slab, planes);
  let largest: Int32Array = new Int32Array();
  for (let c = 1; c <= parts.count; c++) {
    if (parts.voxels(c).length > largest.length) largest = parts.voxels(c);
  }
  return largest.map((i) => i + first * plane);
}

/**
 * Takes lesions out: what they cover becomes the white matter around them, with the noise of white
 * matter elsewhere.
 * @param chosen voxels of the lesions to take out
 * @param all lesions of the image, which the filling does not look at
 */
export function fill(
  data: Float32Array,
  tissue: Tissue,
  chosen: Uint8Array,
  all: Mask,
  random: Philox,
): void {
  const { size, edges, brain, relative, level, fluid, air } = tissue;
  const sigma = (mm: number) => inVoxels(mm, edges);
  const old = gaussian(Float32Array.from(all.data), size, sigma(1));
  const white = Float32Array.from(brain, (b, i) =>
    b && old[i]! < 0.02 && Math.abs(relative[i]! - 1) < 0.15 ? 1 : 0,
  );
  const wide = weightedMean(data, white, size, sigma(6), (i) => level[i]!);
  const near = weightedMean(data, white, size, sigma(3), (i) => wide[i]!);
  const smooth = gaussian(data, size, sigma(1.5));
  const cover = gaussian(Float32Array.from(chosen), size, sigma(1.2));
  const touched = [...cover.keys()].filter((i) => cover[i]! > 0.02);
  const shift = noiseShift(touched, white, size, edges, random);
  for (const i of touched) {
    const part = smoothstep((cover[i]! - 0.02) / 0.2) * (1 - fluid[i]!);
    if (part === 0) continue;
    const from = i + shift;
    const noise = white[from] ? data[from]! - smooth[from]! : 0;
    data[i]! += part * (Math.max(near[i]!, air) + noise - data[i]!);
  }
}

/** The shift that finds white matter for most of the voxels: the best of 200 random ones. */
function noiseShift(
  voxels: readonly number[],
  white: Float32Array,
  [nx, ny]: Size3,
  edges: readonly [number, number, number],
  random: Philox,
): number {
  let [best, most] = [0, -1];
  for (let trial = 0; trial < 200; trial++) {
    const [x, y, z] = edges.map((mm) => Math.round(random.uniform(-30, 30) / mm));
    const shift = (z! * ny + y!) * nx + x!;
    const count = voxels.reduce((sum, i) => sum + (white[i + shift] ?? 0), 0);
    if (count > most) [best, most] = [shift, count];
  }
  return best;
}
