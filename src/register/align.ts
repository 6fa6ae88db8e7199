/** Alignment of two scans: a check whether they lie on each other already, and the search where not. */
import { findBrain } from "../brain/brain_mask";
import {
  applyAffine,
  IDENTITY,
  invertAffine,
  orientedBox,
  outerCorners,
  type Point3,
} from "../data/affine";
import { shownImage } from "../data/shown_part";
import { type Grid, type Mask, type Volume, voxelSize } from "../data/volume";
import type { Memory } from "../gpu/memory";
import {
  type RegisterOptions,
  type Registration,
  register,
  rmsDistance,
  ScanPair,
} from "./register";
import { rotationDegrees } from "./rigid";
import type { Pose } from "./step";
import { warpTo } from "./warp";

/**
 * The least {@link Registration.similarity} of two scans of one head. Measured: 0.96, 0.76 and 0.75 for
 * three pairs of one patient (two of them from two scanners), at most 0.45 for 15 pairs of different
 * patients, and 0.68, 0.43, 0.37 where left and right of a visit were swapped.
 */
export const LEAST_SIMILARITY = 0.72;
/** A pair that a refinement moves by less, mm RMS, is aligned as it is. */
const ALIGNED_MM = 0.2;
/** The refinement: from where the headers put the visits. Resolutions in mm. */
const REFINEMENT = { start: IDENTITY, levels: [4, 2.5] };
/** Visits that are less alike lie so far from each other that it is no use to begin with it. */
const REFINED_FROM = 0.3;

/** A field of view that is smaller along an axis holds no whole head, mm. */
const LEAST_FIELD_MM = 110;

/** Whether an image can show a whole head. */
export function isHeadSized({ size, affine }: Grid): boolean {
  const edges = voxelSize(affine);
  return size.every((n, axis) => n * edges[axis]! >= LEAST_FIELD_MM);
}

/** Raise when the same scans are put on each other in another way: what was kept of them is left. */
export const ALIGNMENT_VERSION = 2;

export interface AlignOptions extends Pick<RegisterOptions, "kind" | "onStep"> {
  /** "auto": only where the pair is not aligned. */
  readonly mode: "auto" | "always";
  /** Brain masks of both visits, in their own worlds; looked for if absent. */
  readonly brains?: Brains;
}

/** Of both visits; one that is not known is undefined: then the whole head counts. */
export type Brains = readonly [Mask | undefined, Mask | undefined];

/** A registration beside what the headers say. */
export interface HeaderRegistration extends Registration {
  /** As {@link Registration.similarity}, where the headers put the visits. */
  readonly similarityBefore: number;
  /** How far the head lies from where the headers put it, mm RMS. */
  readonly moved: number;
}

export interface Alignment {
  /** The best that was found; undefined where one of the scans is empty. */
  readonly registration?: HeaderRegistration;
  /** The headers put the visits on each other: nothing needs to be moved. */
  readonly aligned: boolean;
  /** Both scans show one head, as far as similarity tells. */
  readonly trusted: boolean;
  /** Visit 2 mirrored is more like visit 1 than visit 2 itself. */
  readonly mirrored: boolean;
  /** For the user: what could not be used, such as an implausible brain mask. */
  readonly notes: readonly string[];
}

const NO_HEAD = { aligned: false, trusted: false, mirrored: false };

/**
 * Looks from where the headers put the visits, and, where that is no good, from the heads' centres.
 * Outer planes of one value are no field of view: padding is not compared.
 */
export async function align(
  memory: Memory,
  given1: Volume,
  given2: Volume,
  { mode, brains: given, ...options }: AlignOptions,
): Promise<Alignment> {
  const [visit1, visit2] = [shownImage(given1), shownImage(given2)];
  const { brains, notes } = given
    ? { brains: known(given), notes: [] }
    : findBrains(visit1, visit2);
  const all = { ...options, brains };
  const scans = ScanPair.of(memory, visit1, visit2);
  if (!scans) return { ...NO_HEAD, notes };
  try {
    const { best, aligned } = await bestOf(scans, mode, all);
    const trusted = isTrusted(best);
    const look = best && !trusted;
    const mirrored = look ? await isMirrored(memory, visit1, visit2, best, all) : false;
    return { registration: best, aligned, trusted, mirrored, notes };
  } finally {
    scans.release();
  }
}

async function bestOf(
  scans: ScanPair,
  mode: AlignOptions["mode"],
  options: RegisterOptions,
): Promise<{ best?: HeaderRegistration; aligned: boolean }> {
  const similarityBefore = await scans.similarityAt({ ...options, ...REFINEMENT });
  const look = async (more: RegisterOptions): Promise<HeaderRegistration | undefined> => {
    const found = await scans.register({ ...options, ...more });
    if (!found) return undefined;
    const moved = rmsDistance(IDENTITY, found.transform, scans.heads[0].points);
    return { ...found, similarityBefore, moved };
  };
  const refined = similarityBefore >= REFINED_FROM;
  const near = refined ? await look(REFINEMENT) : undefined;
  if (near && isTrusted(near)) {
    if (mode === "auto" && near.moved < ALIGNED_MM) return { best: near, aligned: true };
    if (near.moved < 5) return { best: near, aligned: false };
  }
  // From afar, and again where the refinement found nothing that can be trusted.
  const best = better(near, await look({}));
  if (refined || isTrusted(best)) return { best, aligned: false };
  return { best: better(await look(REFINEMENT), best), aligned: false };
}

const isTrusted = (found?: Registration) =>
  found !== undefined && found.similarity >= LEAST_SIMILARITY;

function better<R extends Registration>(a?: R, b?: R): R | undefined {
  if (!a || !b) return a ?? b;
  return b.similarity >= a.similarity ? b : a;
}

const known = ([one, two]: Brains) => (one && two ? ([one, two] as const) : undefined);

/** The brains of both visits where both can be brains, and lines for the user where not. */
export function findBrains(
  visit1: Volume,
  visit2: Volume,
): { brains?: readonly [Mask, Mask]; notes: string[] } {
  const found = [findBrain(visit1), findBrain(visit2)] as const;
  const notes = found.flatMap(({ doubt }, i) =>
    doubt ? [`visit ${i + 1}: ${doubt}; registration looks at the whole head`] : [],
  );
  const brains = [found[0].mask, found[1].mask] as const satisfies readonly [Mask, Mask];
  return { brains: notes.length === 0 ? brains : undefined, notes };
}

/** How much more alike a mirrored visit must be: a head is nearly symmetric. */
const MIRROR_MARGIN = 0.08;

async function isMirrored(
  memory: Memory,
  visit1: Volume,
  visit2: Volume,
  best: Registration,
  options: RegisterOptions,
): Promise<boolean> {
  const mirrored = <G extends Grid>(grid: G): G => ({
    ...grid,
    affine: grid.affine.map((v, i) => (i < 4 ? -v : v)),
  });
  const other = mirrored(visit2);
  const { brains: asTheyAre } = options;
  const brains = asTheyAre && ([asTheyAre[0], mirrored(asTheyAre[1])] as const);
  const found = await register(memory, visit1, other, { ...options, brains });
  return found !== undefined && found.similarity > best.similarity + MIRROR_MARGIN;
}

/** Edge of a voxel along each axis of the world, by the voxel axis that is nearest to it, mm. */
function worldEdges({ affine }: Grid): number[] {
  const edges = voxelSize(affine);
  return [0, 1, 2].map((world) => {
    const share = edges.map((edge, axis) => Math.abs(affine[4 * world + axis]! / edge));
    return edges[share.indexOf(Math.max(...share))]!;
  });
}

/**
 * The grid in the middle between two visits: axes right, anterior, superior; along each the finer
 * voxels of the two; as large as what the two fields of view share.
 */
export function middleGrid(visit1: Grid, visit2: Grid, { toVisit1, toVisit2 }: Pose): Grid {
  const boxes = [
    [visit1, toVisit1],
    [visit2, toVisit2],
  ] as const;
  const ends = boxes.map(([grid, to]) => {
    const back = invertAffine(to);
    const corners = outerCorners(grid).map((p) => applyAffine(back, p));
    return [0, 1, 2].map((k) => [
      Math.min(...corners.map((p) => p[k]!)),
      Math.max(...corners.map((p) => p[k]!)),
    ]);
  });
  const [edges1, edges2] = [worldEdges(visit1), worldEdges(visit2)];
  const point = (side: 0 | 1): Point3 => {
    const pick = side === 0 ? Math.max : Math.min;
    const at = [0, 1, 2].map((k) => pick(ends[0]![k]![side]!, ends[1]![k]![side]!));
    return [at[0]!, at[1]!, at[2]!];
  };
  const edges = edges1.map((edge, k) => Math.min(edge, edges2[k]!));
  return orientedBox([point(0), point(1)], edges as unknown as Point3);
}

/** Both visits on the middle grid, by cubic interpolation. */
export async function onMiddleGrid(
  memory: Memory,
  visit1: Volume,
  visit2: Volume,
  pose: Pose,
  grid = middleGrid(visit1, visit2, pose),
): Promise<[Volume, Volume]> {
  return [
    await warpTo(memory, visit1, pose.toVisit1, grid),
    await warpTo(memory, visit2, pose.toVisit2, grid),
  ];
}

/** What was done, in one line. */
export function alignmentText({ registration, aligned }: Alignment): string {
  if (!registration) return "registration: one of the visits shows no head";
  const { transform, similarity, similarityBefore, moved } = registration;
  const alike = `similarity ${similarityBefore.toFixed(2)} before, ${similarity.toFixed(2)} after`;
  if (aligned)
    return `registration: the visits are aligned (within ${moved.toFixed(2)} mm, similarity ${similarityBefore.toFixed(2)})`;
  return (
    `registration: visit 2 turned by ${rotationDegrees(transform).toFixed(1)}° and moved by ` +
    `${moved.toFixed(1)} mm, ${alike}`
  );
}

/** Why a registration is not to be trusted, in one line that says so. */
export const doubtOf = (alignment: Alignment): string => `NOT FIT: ${doubtText(alignment)}`;

/** Why a registration is not to be trusted. */
export function doubtText({ registration, mirrored }: Alignment): string {
  if (!registration) return "one of the visits shows no head";
  const value = registration.similarity.toFixed(2);
  return mirrored
    ? `left and right of one visit seem to be swapped (similarity ${value}); check the headers`
    : `the visits do not look like one head in one contrast (similarity ${value}); check that they are`;
}
