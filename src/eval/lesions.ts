import { UserError } from "../core/errors";
import { applyAffine, describeGrid, determinant, sameGrid } from "../data/affine";
import type { Affine, Mask } from "../data/volume";
import { type Components, type Connectivity, connectedComponents } from "./components";
import { type Overlap, overlap } from "./dice";

/** A lesion counts as hit when at least this share of its voxels lies in the other mask. */
export const HIT_SHARE = 0.1;

/** One connected component of the reference or of the prediction. */
export interface Lesion {
  /** 1 is the largest of its mask. */
  readonly id: number;
  readonly voxels: number;
  readonly volumeMm3: number;
  /** Mean position of its voxels in mm: right, anterior, superior. */
  readonly centreMm: readonly [number, number, number];
  /** Share of its voxels that lie in the other mask. */
  readonly overlap: number;
  /** `overlap` reaches HIT_SHARE: a reference lesion was found, a predicted one is true. */
  readonly hit: boolean;
}

export interface Evaluation extends Overlap {
  readonly voxelVolumeMm3: number;
  readonly connectivity: Connectivity;
  /** Largest first. */
  readonly referenceLesions: readonly Lesion[];
  /** Largest first. */
  readonly predictedLesions: readonly Lesion[];
}

/** A mask and the name it has in messages, usually its path. */
export type NamedMask = Mask & { readonly name: string };

/**
 * Compares a predicted mask with the reference, voxel by voxel and lesion by lesion. Lesions are
 * connected components of any size; `connectivity` 6 is the MSSEG-2 challenge's.
 * @throws UserError if the masks do not lie on one grid
 */
export function evaluateMasks(
  reference: NamedMask,
  prediction: NamedMask,
  connectivity: Connectivity = 6,
): Evaluation {
  if (!sameGrid(reference, prediction)) {
    throw new UserError(
      `${prediction.name}: lies on another grid (${gridText(prediction)}) than ${reference.name} ` +
        `(${gridText(reference)}); compare masks in one space, e.g. predict on the reference's images`,
    );
  }
  return {
    ...overlap(reference.data, prediction.data),
    voxelVolumeMm3: Math.abs(determinant(reference.affine)),
    connectivity,
    referenceLesions: lesions(reference, prediction, connectivity),
    predictedLesions: lesions(prediction, reference, connectivity),
  };
}

/** Grids that differ in place only would read the same without the position of the first voxel. */
function gridText(mask: Mask): string {
  const origin = applyAffine(mask.affine, [0, 0, 0]).map((mm) => mm.toFixed(1));
  return `${describeGrid(mask)} from ${origin.join(", ")} mm`;
}

function lesions(mask: Mask, other: Mask, connectivity: Connectivity): Lesion[] {
  const components = connectedComponents(mask.data, mask.size, connectivity);
  const unsorted = Array.from({ length: components.count }, (_, i) =>
    lesion(components, i + 1, mask, other),
  );
  // A stable sort: of two lesions of one size the first in memory order comes first.
  return unsorted.sort((a, b) => b.voxels - a.voxels).map((each, i) => ({ ...each, id: i + 1 }));
}

function lesion(components: Components, id: number, mask: Mask, other: Mask): Lesion {
  const voxels = components.voxels(id);
  const [nx, ny] = mask.size;
  const sum: [number, number, number] = [0, 0, 0];
  let shared = 0;
  for (const voxel of voxels) {
    const row = Math.floor(voxel / nx);
    sum[0] += voxel % nx;
    sum[1] += row % ny;
    sum[2] += Math.floor(row / ny);
    if (other.data[voxel] !== 0) shared++;
  }
  const n = voxels.length;
  return {
    id,
    voxels: n,
    volumeMm3: n * voxelVolume(mask.affine),
    centreMm: applyAffine(mask.affine, [sum[0] / n, sum[1] / n, sum[2] / n]),
    overlap: shared / n,
    hit: shared / n >= HIT_SHARE,
  };
}

const voxelVolume = (affine: Affine) => Math.abs(determinant(affine));
