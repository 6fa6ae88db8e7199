/** A scan that pairs are made of: its intensities, its tissues, and the places where lesions may lie. */
import { modeOf, quantile } from "../brain/estimate";
import { Philox } from "../core/random";
import { gaussian } from "../data/smooth";
import { type Affine, type Mask, type Size3, type Volume, voxelAt } from "../data/volume";
import { connectedComponents } from "../eval/components";
import { boundsOf } from "./bounds";
import { fill } from "./fill";
import { findPlaces, type Places } from "./places";
import { tissueOf } from "./tissue";

/** The slices that the scan was made of, where they are thick. */
export interface OwnSlices {
  readonly axis: 0 | 1 | 2;
  readonly mm: number;
}

/** A lesion of the scan that can be taken away: subtract `lift` from its voxels. */
export interface OwnLesion {
  readonly voxels: Int32Array;
  readonly lift: Float32Array;
  /** Voxels of the mask itself, among `voxels`. */
  readonly labelled: Int32Array;
  /** Mean lift of the labelled voxels. */
  readonly contrast: number;
}

/**
 * A head on voxels of 1 mm in the order RAS. Intensities: air 0, white matter about 1, with the scan's
 * own bias field and noise. Holds numbers and arrays alone, so that it can be handed to a worker.
 */
export interface Background {
  /** Of the patient. */
  readonly patient: string;
  /** Of the scan. */
  readonly name: string;
  readonly size: Size3;
  readonly affine: Affine;
  readonly image: Float32Array;
  /** Local white matter. */
  readonly level: Float32Array;
  /** 0 to 255: fluid and what is outside of the brain; grey matter; the brain with its fluid. */
  readonly fluid: Uint8Array;
  readonly grey: Uint8Array;
  readonly hull: Uint8Array;
  /** 1 where a lesion lies already. */
  readonly taken: Uint8Array;
  readonly places: Places;
  readonly lesions: readonly OwnLesion[];
  readonly slices?: OwnSlices;
  /** Whether nothing but the brain is in the image. */
  readonly isExtracted: boolean;
  /** Middle of the ventricles, voxels. */
  readonly centre: readonly [number, number, number];
}

export interface ScanToUse {
  readonly patient: string;
  readonly name: string;
  /** On voxels of 1 mm in the order RAS. */
  readonly image: Volume;
  /** Lesions of the scan, where they are known; others may be in it. */
  readonly lesions?: Mask;
  readonly brainMask?: Mask;
  readonly slices?: OwnSlices;
}

/** Voxels around the head that are kept. */
const MARGIN = 8;
/** The largest box that is kept of a head, mm: from its top down, so that necks go first. */
const LARGEST: Size3 = [200, 240, 200];
/** Voxels of the largest background. */
export const MOST_VOXELS = LARGEST[0] * LARGEST[1] * LARGEST[2];
/** Volume of lesions that can be taken away, mm³. */
const REMOVABLE: readonly [number, number] = [3, 4000];

/** @throws UserError when no brain can be made out */
export function makeBackground(scan: ScanToUse): Background {
  const { image, lesions, brainMask } = croppedToHead(scan);
  const { size, affine } = image;
  const tissue = tissueOf(scan.name, image, brainMask, lesions);
  const white = meanOf(tissue.level, tissue.plausible) - tissue.air;
  const relative = image.data.map((v) => Math.max(-0.5, (v - tissue.air) / white));
  const level = tissue.level.map((v) => (v - tissue.air) / white);
  const { brain } = tissue;
  const closed = gaussian(Float32Array.from(brain), size, [4, 4, 4]);
  const hull = Uint8Array.from(closed, (v, i) => {
    const inside = brain[i] ? Math.max(v, 0.6) : v;
    return Math.min(255, Math.round(255 * inside));
  });
  const taken = Uint8Array.from(brain, (b, i) =>
    lesions?.data[i] || (b && tissue.relative[i]! > 1.3) ? 1 : 0,
  );
  const { places, grey, centre } = findPlaces(tissue, hull, taken);
  const clean = relative.slice();
  const own = lesions ? ownLesions(lesions, tissue.relative) : [];
  if (lesions && own.length > 0) {
    const chosen = new Uint8Array(clean.length);
    for (const voxels of own) for (const i of voxels) chosen[i] = 1;
    const asRelative = { ...tissue, air: 0, level };
    fill(clean, asRelative, chosen, lesions, new Philox(0, 1));
  }
  const slices = scan.slices ? { slices: scan.slices } : {};
  return {
    patient: scan.patient,
    name: scan.name,
    size,
    affine,
    image: relative,
    level,
    fluid: Uint8Array.from(tissue.fluid, (v) => Math.round(255 * v)),
    grey,
    hull,
    taken,
    places,
    lesions: own.flatMap((voxels) => removable(voxels, relative, clean, size) ?? []),
    ...slices,
    isExtracted: isExtracted(relative, closed),
    centre,
  };
}

function meanOf(values: Float32Array, where: Uint8Array): number {
  let [sum, n] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (!where[i]) continue;
    sum += values[i]!;
    n++;
  }
  return sum / Math.max(1, n);
}

/** Little that is bright lies outside of the brain. */
function isExtracted(relative: Float32Array, closed: Float32Array): boolean {
  let [outside, inside] = [0, 0];
  for (let i = 0; i < relative.length; i++) {
    if (relative[i]! < 0.3) continue;
    if (closed[i]! < 0.05) outside++;
    else inside++;
  }
  return outside < 0.03 * inside;
}

function ownLesions(lesions: Mask, relative: Float32Array): Int32Array[] {
  const { count, voxels } = connectedComponents(lesions.data, lesions.size, 18);
  return Array.from({ length: count }, (_, c) => voxels(c + 1)).filter((inside) => {
    if (inside.length < REMOVABLE[0] || inside.length > REMOVABLE[1]) return false;
    return inside.reduce((sum, i) => sum + relative[i]!, 0) / inside.length > 1.12;
  });
}

/** What a lesion adds to the scan without it, in its surroundings. */
function removable(
  labelled: Int32Array,
  image: Float32Array,
  clean: Float32Array,
  [nx, ny, nz]: Size3,
): OwnLesion | undefined {
  const around = new Set<number>();
  for (const i of labelled) {
    const [x, y, z] = voxelAt(i, [nx, ny, nz]);
    for (let c = Math.max(0, z - 2); c <= Math.min(nz - 1, z + 2); c++) {
      for (let b = Math.max(0, y - 2); b <= Math.min(ny - 1, y + 2); b++) {
        for (let a = Math.max(0, x - 2); a <= Math.min(nx - 1, x + 2); a++) {
          const j = (c * ny + b) * nx + a;
          if (image[j] !== clean[j]) around.add(j);
        }
      }
    }
  }
  const voxels = Int32Array.from(around).sort();
  const lift = Float32Array.from(voxels, (i) => image[i]! - clean[i]!);
  const contrast = labelled.reduce((sum, i) => sum + image[i]! - clean[i]!, 0) / labelled.length;
  return contrast > 0.12 ? { voxels, lift, labelled, contrast } : undefined;
}

/** The box of the head, with some air around. */
function croppedToHead({ image, lesions, brainMask }: ScanToUse) {
  const { size, data } = image;
  const air = modeOf(data);
  const bright = quantile(
    data.filter((_, i) => i % 11 === 0),
    0.995,
  );
  const seen = gaussian(
    data.map((v) => (v > air + 0.12 * (bright - air) ? 1 : 0)),
    size,
    [1.5, 1.5, 1.5],
  );
  const { low, high } = boundsOf(seen, size, (v) => v >= 0.5);
  const first = low.map((v) => v - MARGIN) as [number, number, number];
  const box = high.map((v, axis) => v + MARGIN + 1 - first[axis]!) as [number, number, number];
  for (const axis of [0, 1, 2] as const) {
    const beyond = box[axis] - LARGEST[axis];
    if (beyond <= 0) continue;
    first[axis] += axis === 2 ? beyond : Math.floor(beyond / 2);
    box[axis] = LARGEST[axis];
  }
  const cut = <I extends Volume | Mask>(of: I): I =>
    croppedTo(of, first, box, of === image ? air : 0);
  return {
    image: cut(image),
    lesions: lesions && cut(lesions),
    brainMask: brainMask && cut(brainMask),
  };
}

/** A box of an image, which may reach beyond it. */
function croppedTo<I extends Volume | Mask>(
  image: I,
  first: readonly number[],
  box: Size3,
  outside: number,
): I {
  const { size, affine } = image;
  const Kind = image.data.constructor as new (length: number) => I["data"];
  const data = new Kind(box[0] * box[1] * box[2]);
  if (outside !== 0) data.fill(outside);
  for (let z = 0; z < box[2]; z++) {
    for (let y = 0; y < box[1]; y++) {
      const [sy, sz] = [y + first[1]!, z + first[2]!];
      if (sy < 0 || sz < 0 || sy >= size[1] || sz >= size[2]) continue;
      for (let x = 0; x < box[0]; x++) {
        const sx = x + first[0]!;
        if (sx < 0 || sx >= size[0]) continue;
        data[(z * box[1] + y) * box[0] + x] = image.data[(sz * size[1] + sy) * size[0] + sx]!;
      }
    }
  }
  const origin = [0, 4, 8].map(
    (r) =>
      affine[r]! * first[0]! +
      affine[r + 1]! * first[1]! +
      affine[r + 2]! * first[2]! +
      affine[r + 3]!,
  );
  const moved = affine.map((v, i) => (i % 4 === 3 && i < 12 ? origin[i >> 2]! : v));
  return { ...image, size: box, affine: moved, data };
}
