/** Masks of a pair that was put on one grid: each travels with the visit that it was drawn on. */
import { UserError } from "../core/errors";
import { applyAffine, describeGrid, invertAffine, sameGrid, voxelVolume } from "../data/affine";
import type { FromFile } from "../data/nifti_decode";
import { maskOnGrid } from "../data/pair";
import type { Mask } from "../data/volume";
import { reorderedTo } from "../data/voxel_order";
import type { Memory } from "../gpu/memory";
import type { Pose } from "../register/step";
import { warpMask } from "../register/warp";
import type { PlacedPair, ReadImage } from "./placed_pair";

/** 0 for visit 1, 1 for visit 2. */
export type VisitIndex = 0 | 1;
export type Visits = readonly [ReadImage, ReadImage];

export interface ReadMask {
  readonly path: string;
  readonly mask: Mask & FromFile;
  /** The visit that shows what the mask marks: it decides where the grid of the mask does not. */
  readonly shownAt: VisitIndex;
}

/** A mask of another grid than either visit's is refused where the two would put it further apart, mm. */
const MOST_APART_MM = 2;

/**
 * The visit that a mask travels with: the one whose grid it has; where both have it, the one that shows
 * what it marks. Of a third grid that one too, unless the other would put it elsewhere.
 * @throws UserError where it would
 */
export function visitOf(visits: Visits, pose: Pose, { path, mask, shownAt }: ReadMask): VisitIndex {
  const [on1, on2] = visits.map(
    ({ image }) => sameGrid(mask, image) || reorderedTo(mask, image) !== undefined,
  );
  if (on1 !== on2) return on1 ? 0 : 1;
  if (on1) return shownAt;
  const apart = distanceApart(mask, pose);
  if (apart <= MOST_APART_MM) return shownAt;
  const [one, two] = visits;
  throw new UserError(
    `${path}: its grid (${describeGrid(mask)}) is neither that of ${one.path} (${describeGrid(one.image)}) ` +
      `nor that of ${two.path} (${describeGrid(two.image)}), and the visits lie ${apart.toFixed(1)} mm apart ` +
      "there, so nobody knows which of them it belongs to; resample it to the grid of the visit on " +
      "which it was drawn, or give --register off",
  );
}

/** How far from each other a mask would lie that travels with either visit: the most of its voxels, mm. */
function distanceApart({ size, affine, data }: Mask, { toVisit1, toVisit2 }: Pose): number {
  const [back1, back2] = [invertAffine(toVisit1), invertAffine(toVisit2)];
  let most = 0;
  for (let i = 0; i < data.length; i++) {
    if (!data[i]) continue;
    const voxel = [i % size[0], Math.floor(i / size[0]) % size[1], 0] as [number, number, number];
    voxel[2] = Math.floor(i / (size[0] * size[1]));
    const p = applyAffine(affine, voxel);
    const [a, b] = [applyAffine(back1, p), applyAffine(back2, p)];
    most = Math.max(most, Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
  }
  return most;
}

/**
 * A mask on the grid of a pair: by the headers, or moved with its visit. A line in `notes` tells of a
 * change.
 * @throws UserError as maskOnGrid and visitOf
 */
export async function placeMask(
  memory: Memory,
  visits: Visits,
  { pair, pose }: Pick<PlacedPair, "pair" | "pose">,
  read: ReadMask,
  notes: string[],
): Promise<Mask> {
  const { path, mask } = read;
  if (!pose) return maskOnGrid(path, mask, visits[0].path, pair.time1, notes);
  const visit = visitOf(visits, pose, read);
  const { path: visitPath, image } = visits[visit];
  const onVisit = maskOnGrid(path, mask, visitPath, image, notes);
  const motion = visit === 0 ? pose.toVisit1 : pose.toVisit2;
  const moved = await warpMask(memory, onVisit, motion, pair.time1);
  notes.push(
    `${path}: moved with visit ${visit + 1} (${millilitres(onVisit)} before, ${millilitres(moved)} after)`,
  );
  return moved;
}

function millilitres({ data, affine }: Mask): string {
  const voxels = data.reduce((sum, value) => sum + value, 0);
  return `${((voxels * voxelVolume(affine)) / 1000).toFixed(2)} mL`;
}
