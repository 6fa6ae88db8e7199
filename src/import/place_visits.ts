/** Two visits and their masks on one grid, the alignment of their headers refined by registration. */
import { sameGrid } from "../data/affine";
import type { Mask, Volume } from "../data/volume";
import type { Memory } from "../gpu/memory";
import {
  type Alignment,
  type AlignOptions,
  align,
  alignmentText,
  doubtOf,
  isHeadSized,
  onMiddleGrid,
} from "../register/align";
import { rotationDegrees } from "../register/rigid";
import { warpMask } from "../register/warp";

export type MotionKind = NonNullable<AlignOptions["kind"]>;

export interface PlacedVisits {
  readonly time1: Volume;
  readonly time2: Volume;
  /** A mask that lies on the grid of a visit's file, on the common grid. */
  place(mask: Mask, visit: 0 | 1): Promise<Mask>;
  /** What registration did, for the patient's folder. */
  readonly record: object;
  /** Lines for the user. */
  readonly notes: readonly string[];
}

/** The reason why two visits cannot be put on one grid. */
export interface NotPlaced {
  readonly notes: readonly string[];
}

/** Nothing is interpolated where the visits share a grid and lie on each other within 0.2 mm. */
export async function placeVisits(
  memory: () => Promise<Memory>,
  visit1: Volume,
  visit2: Volume,
  kind: MotionKind,
): Promise<PlacedVisits | NotPlaced> {
  const oneGrid = sameGrid(visit1, visit2);
  if (!isHeadSized(visit1) || !isHeadSized(visit2)) {
    const small = "registration: left out, the images are smaller than a head";
    if (oneGrid) return asTheyAre(visit1, visit2, { registered: false }, [small]);
    return { notes: [`${small}, and the visits lie on two grids`] };
  }
  const device = await memory();
  const found = await align(device, visit1, visit2, { mode: "auto", kind });
  const { registration: pose, trusted, notes } = found;
  const lines = [...notes, alignmentText(found)];
  if (!pose || !trusted) return { notes: [...lines, doubtOf(found)] };
  if (found.aligned && oneGrid) return asTheyAre(visit1, visit2, recordOf(found, kind), lines);
  const [time1, time2] = await onMiddleGrid(device, visit1, visit2, pose);
  const place = (mask: Mask, visit: 0 | 1) =>
    warpMask(device, mask, visit === 0 ? pose.toVisit1 : pose.toVisit2, time1);
  return { time1, time2, place, record: recordOf(found, kind), notes: lines };
}

function asTheyAre(
  time1: Volume,
  time2: Volume,
  record: object,
  notes: readonly string[],
): PlacedVisits {
  const { size, affine } = time1;
  const place = async ({ data }: Mask) => ({ size, affine, data });
  return { time1, time2: { ...time2, affine }, place, record, notes };
}

function recordOf({ registration, aligned }: Alignment, motion: MotionKind): object {
  const { transform, moved, similarity, similarityBefore, toVisit1, toVisit2 } = registration!;
  const common = { motion, aligned, similarityBefore, movedMm: moved };
  if (aligned) return { registered: false, ...common };
  return {
    registered: true,
    ...common,
    similarity,
    rotationDegrees: rotationDegrees(transform),
    /** Row-major 4 × 4, mm, RAS: a point of the common space → the same point of a visit. */
    toVisit1,
    toVisit2,
  };
}
