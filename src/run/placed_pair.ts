/** Two visits put on one grid: as their headers say, or by registration where that does not hold. */
import { movedMask } from "../brain/pair_brain";
import { IDENTITY, invertAffine, sameGrid } from "../data/affine";
import { withoutHotVoxels } from "../data/hot_voxels";
import type { FromFile } from "../data/nifti_decode";
import { type Pair, pairOf } from "../data/pair";
import type { Grid, Mask, Volume } from "../data/volume";
import type { Memory } from "../gpu/memory";
import {
  type Alignment,
  align,
  alignmentText,
  type Brains,
  doubtOf,
  isHeadSized,
  onMiddleGrid,
} from "../register/align";
import type { Pose } from "../register/step";
import { warpMask, warpTo } from "../register/warp";
import type { RegisterMode } from "../settings/names";

export const ANSWER_GRIDS = ["t1", "t2", "middle"] as const;
/** The grid of visit 1, of visit 2, or the one on which both visits were put. */
export type AnswerGrid = (typeof ANSWER_GRIDS)[number];

/** An image file that was read. */
export interface ReadImage {
  readonly path: string;
  readonly image: Volume & FromFile;
}

const TOO_SMALL = "registration: left out, the images are smaller than a head";

export interface PlacedPair {
  /** Both visits on one grid: that of visit 1, or the middle one. */
  readonly pair: Pair;
  /** Where the visits lie as seen from the middle; absent where they stay as their headers say. */
  readonly pose?: Pose;
  /** The grids of the files. */
  readonly native: readonly [Grid, Grid];
  /** What registration found; absent with --register off and for what is no whole head. */
  readonly alignment?: Alignment;
}

/**
 * @param brains masks of both visits, where they are known already
 * @throws UserError as pairOf, where the headers decide
 */
export async function placePair(
  memory: Memory,
  visit1: ReadImage,
  visit2: ReadImage,
  mode: RegisterMode,
  brains?: Brains,
): Promise<PlacedPair> {
  const found = await alignmentOf(memory, visit1, visit2, mode, brains);
  return placeBy(memory, visit1, visit2, mode, found);
}

/** Undefined where registration does not look: with "off", and with "auto" where neither shows a head. */
export async function alignmentOf(
  memory: Memory,
  visit1: ReadImage,
  visit2: ReadImage,
  mode: RegisterMode,
  brains?: Brains,
): Promise<Alignment | undefined> {
  const visits = [visit1, visit2];
  if (mode === "off") return undefined;
  if (mode === "auto" && !visits.some(({ image }) => isHeadSized(image))) return undefined;
  const [one, two] = [cooled(visit1), cooled(visit2)];
  return align(memory, one, two, { mode, brains });
}

const cooled = ({ image, path }: ReadImage) => withoutHotVoxels(image, path);

/**
 * Puts the visits where `alignmentOf` found them; where that is not to be trusted, as their headers say.
 * @throws UserError as pairOf, where the headers decide
 */
export async function placeBy(
  memory: Memory,
  visit1: ReadImage,
  visit2: ReadImage,
  mode: RegisterMode,
  found: Alignment | undefined,
): Promise<PlacedPair> {
  const native = [visit1.image, visit2.image] as const;
  const byHeaders = (alignment?: Alignment, ...lines: string[]): PlacedPair => {
    const pair = pairOf(visit1.path, visit1.image, visit2.path, visit2.image);
    return { pair: { ...pair, notes: [...pair.notes, ...lines] }, native, alignment };
  };
  if (mode === "off") return byHeaders();
  if (!found) return byHeaders(undefined, TOO_SMALL);
  const line = alignmentText(found);
  if (found.aligned) return byHeaders(found, ...found.notes, line);
  if (!found.trusted || !found.registration) {
    return byHeaders(
      found,
      ...found.notes,
      line,
      `${doubtOf(found)}; the visits stay as their headers say`,
    );
  }
  const [one, two] = [cooled(visit1), cooled(visit2)];
  const [time1, time2] = await onMiddleGrid(memory, one, two, found.registration);
  const notes = [...one.notes, ...two.notes, ...found.notes, line];
  const pair = { time1: { ...one, ...time1 }, time2, notes };
  return { pair, pose: found.registration, native, alignment: found };
}

/** The grid of an answer, and the motion from its world to that of the pair. */
function placeOf({ pose, native }: PlacedPair, grid: "t1" | "t2") {
  const to = grid === "t1" ? pose?.toVisit1 : pose?.toVisit2;
  return { to: native[grid === "t1" ? 0 : 1], motion: to ? invertAffine(to) : IDENTITY };
}

/** A map on the pair's grid, on the grid that was asked for (trilinear). */
export async function onAnswerGrid(
  memory: Memory,
  placed: PlacedPair,
  map: Volume,
  grid: AnswerGrid,
): Promise<Volume> {
  if (grid === "middle") return map;
  const { to, motion } = placeOf(placed, grid);
  if (!placed.pose && sameGrid(map, to)) return map;
  return warpTo(memory, map, motion, to, { order: "trilinear" });
}

/** A mask in the world of the pair, on the grid of an answer. */
export function maskOnAnswer(placed: PlacedPair, mask: Mask, grid: AnswerGrid): Mask {
  if (grid === "middle") return movedMask(mask, IDENTITY, placed.pair.time1);
  const { to, motion } = placeOf(placed, grid);
  return movedMask(mask, motion, to);
}

/** A mask on the grid of visit 1, on the pair's. */
export async function maskOnPair(
  memory: Memory,
  { pose, pair }: PlacedPair,
  mask: Mask,
): Promise<Mask> {
  return pose ? warpMask(memory, mask, pose.toVisit1, pair.time1) : mask;
}
