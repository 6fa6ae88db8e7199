/** Lesions of other patients as soft shapes with the contrast that they had. */
import { applyAffine } from "../data/affine";
import { gaussian, inVoxels } from "../data/smooth";
import type { Affine, Mask, Volume } from "../data/volume";
import { connectedComponents } from "../eval/components";
import type { Tissue } from "./tissue";

export type Point = readonly [x: number, y: number, z: number];

export interface LesionShape {
  /** Patient that it comes from. */
  readonly donor: string;
  /** Box of voxels around it. */
  readonly size: readonly [number, number, number];
  /** Voxel of the box → mm from the lesion's centre. */
  readonly toCentre: Affine;
  /** Soft mask of the box; a point belongs to the lesion from `border` on. */
  readonly soft: Float32Array;
  readonly border: number;
  /** Contrast of the box's voxels as a share of the lesion's own; 1 where only its mask is known. */
  readonly texture: Float32Array;
  /** How far above white matter it is, in units of white matter above air; if there is an image. */
  readonly contrast?: number;
  /** Where its centre lies in the donor's brain, 0 to 1 along each axis of the world. */
  readonly place: Point;
  /** mm³. */
  readonly volume: number;
}

/** The volume that a lesion must have to be taken as a shape, mm³. */
const VOLUME: readonly [number, number] = [12, 3000];
const MARGIN_MM = 3;
const SOFT_MM = 0.7;
/** Share of fluid around a lesion: what has more follows a sulcus. */
const MOST_FLUID = 0.2;

/** Corners of what is set, in mm of the world. */
export function worldBox(mask: Mask): readonly [low: Point, high: Point] {
  const [nx, ny] = mask.size;
  const low = [1e9, 1e9, 1e9];
  const high = [-1e9, -1e9, -1e9];
  for (const [i, set] of mask.data.entries()) {
    if (!set || i % 5 !== 0) continue;
    const at = applyAffine(mask.affine, [i % nx, Math.floor(i / nx) % ny, Math.floor(i / nx / ny)]);
    at.forEach((v, axis) => {
      low[axis] = Math.min(low[axis]!, v);
      high[axis] = Math.max(high[axis]!, v);
    });
  }
  return [low as unknown as Point, high as unknown as Point];
}

/**
 * The lesions of a mask that are not too small and not too large.
 * @param image with its tissue: where absent, only shapes are known
 * @param brainBox from worldBox of the donor's brain
 */
export function lesionShapes(
  donor: string,
  lesions: Mask,
  brainBox: readonly [Point, Point],
  image?: { readonly volume: Volume; readonly tissue: Tissue },
): LesionShape[] {
  const { count, voxels } = connectedComponents(lesions.data, lesions.size, 18);
  const columns = [0, 1, 2].map((c) => [0, 4, 8].map((r) => lesions.affine[r + c]!));
  const edges = columns.map((v) => Math.hypot(...v)) as [number, number, number];
  const mm3 = edges[0] * edges[1] * edges[2];
  const found: LesionShape[] = [];
  for (let c = 1; c <= count; c++) {
    const inside = voxels(c);
    const volume = inside.length * mm3;
    if (volume < VOLUME[0] || volume > VOLUME[1]) continue;
    const shape = oneShape(donor, lesions, inside, edges, brainBox, image);
    if (shape) found.push({ ...shape, volume });
  }
  return found;
}

function oneShape(
  donor: string,
  { size, affine }: Mask,
  inside: Int32Array,
  edges: readonly [number, number, number],
  [low, high]: readonly [Point, Point],
  image?: { readonly volume: Volume; readonly tissue: Tissue },
): Omit<LesionShape, "volume"> | undefined {
  const positions = [...inside].map((i) => [
    i % size[0],
    Math.floor(i / size[0]) % size[1],
    Math.floor(i / (size[0] * size[1])),
  ]);
  const axes = [0, 1, 2] as const;
  const margin = axes.map((a) => Math.ceil(MARGIN_MM / edges[a]));
  const first = axes.map((a) => Math.min(...positions.map((p) => p[a]!)) - margin[a]!);
  const last = axes.map((a) => Math.max(...positions.map((p) => p[a]!)) + margin[a]!);
  const box = axes.map((a) => last[a]! - first[a]! + 1) as [number, number, number];
  const hard = new Float32Array(box[0] * box[1] * box[2]);
  const inBox = (p: readonly number[]) =>
    ((p[2]! - first[2]!) * box[1] + p[1]! - first[1]!) * box[0] + p[0]! - first[0]!;
  for (const p of positions) hard[inBox(p)] = 1;
  const mean = axes.map((a) => positions.reduce((sum, p) => sum + p[a]!, 0) / positions.length);
  const centre = applyAffine(affine, [mean[0]!, mean[1]!, mean[2]!]);
  const place = centre.map((v, a) => (v - low[a]!) / (high[a]! - low[a]!)) as [
    number,
    number,
    number,
  ];
  const origin = applyAffine(affine, [first[0]!, first[1]!, first[2]!]);
  const toCentre = affine.map((v, i) =>
    i % 4 === 3 && i < 12 ? origin[i >> 2]! - centre[i >> 2]! : v,
  );
  const soft = gaussian(hard, box, inVoxels(SOFT_MM, edges));
  const border = soft.toSorted().at(-inside.length) ?? 0.5;
  const shape = { donor, size: box, toCentre, soft, border, place };
  if (!image) return { ...shape, texture: new Float32Array(hard.length).fill(1) };
  const inImage = (k: number) => {
    const [x, y, z] = [
      k % box[0],
      Math.floor(k / box[0]) % box[1],
      Math.floor(k / box[0] / box[1]),
    ];
    return first.map((v, a) => v + [x, y, z][a]!);
  };
  if (fluidAround(image.tissue, soft, border, inImage) > MOST_FLUID) return undefined;
  const seen = contrastOf(image.tissue, inside, (i, value) => {
    hard[
      inBox([i % size[0], Math.floor(i / size[0]) % size[1], Math.floor(i / size[0] / size[1])])
    ] = value;
  });
  if (seen === undefined) return undefined;
  const known = hard.map((v) => (v > 0 ? 1 : 0));
  const spread = gaussian(hard, box, inVoxels(1, edges));
  const weight = gaussian(known, box, inVoxels(1, edges));
  const texture = spread.map((v, i) =>
    Math.min(1.2, Math.max(0.6, weight[i]! > 0.02 ? v / weight[i]! : 1)),
  );
  return { ...shape, texture, contrast: seen };
}

/** Share of fluid in the voxels just outside of a lesion. */
function fluidAround(
  { fluid, size }: Tissue,
  soft: Float32Array,
  border: number,
  inImage: (voxel: number) => readonly number[],
): number {
  let [sum, count] = [0, 0];
  for (const [k, value] of soft.entries()) {
    if (value >= border || value < 0.05) continue;
    const at = inImage(k);
    if (at.some((v, axis) => v < 0 || v >= size[axis]!)) continue;
    sum += fluid[(at[2]! * size[1] + at[1]!) * size[0] + at[0]!]!;
    count++;
  }
  return count > 0 ? sum / count : 0;
}

/** Contrast of a lesion (its upper quartile), and through `put` each voxel's share of it. */
function contrastOf(
  { relative }: Tissue,
  inside: Int32Array,
  put: (voxel: number, share: number) => void,
): number | undefined {
  const above = Float32Array.from(inside, (i) => relative[i]! - 1);
  const contrast = above.toSorted()[Math.floor(0.75 * (above.length - 1))]!;
  // What is hardly brighter than white matter shows nothing of how lesions look.
  if (contrast < 0.2) return undefined;
  for (const [k, i] of inside.entries()) put(i, Math.max(0.05, above[k]! / contrast));
  return contrast;
}
