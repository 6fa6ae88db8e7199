/** Draws the patch positions of an iteration, as a function of seed and iteration alone. */
import { Philox } from "../core/random";
import type { StoredVolume } from "../data/page_layout";
import { type Size3, voxelAt } from "../data/volume";

export interface SamplerOptions {
  readonly seed: number;
  /** Edge of a patch, voxels. */
  readonly patch: number;
  /** Patches per draw. */
  readonly count: number;
  /** Share of positive patches: those that hold a lesion voxel. */
  readonly positive: number;
}

/** Words of a row: volume (table row), then z, y, x of the patch's first voxel (signed). */
export const COORDS = 4;

/** The streams of the seed that patches are drawn from, and the number of generated ones. */
const STREAM = { cohort: 1, generated: 5, share: 6 } as const;

export interface DrawnPatches {
  /** Rows of the `coords` tensor (count × 4). */
  readonly corners: Int32Array;
  /** The lesion voxel that each was drawn around, else its middle: (count × 3), z, y, x in it. */
  readonly anchors: Float64Array;
}

/** Volumes of which an iteration has a share of its patches. */
export interface Group {
  readonly volumes: readonly StoredVolume[];
  readonly share: number;
}

/** As drawPatches, with a share of the patches from generated pairs: on average over the iterations. */
export function drawWithGenerated(
  volumes: readonly StoredVolume[],
  generated: Group,
  iteration: number,
  options: SamplerOptions,
): DrawnPatches {
  const random = new Philox(options.seed, STREAM.share, iteration);
  const wanted = generated.share * options.count;
  const count = Math.floor(wanted) + (random.uniform() < wanted % 1 ? 1 : 0);
  const parts = [
    drawPatches(volumes, iteration, { ...options, count: options.count - count }),
    drawPatches(generated.volumes, iteration, { ...options, count }, STREAM.generated),
  ];
  const corners = new Int32Array(options.count * COORDS);
  const anchors = new Float64Array(options.count * 3);
  let at = 0;
  for (const part of parts) {
    corners.set(part.corners, at * COORDS);
    anchors.set(part.anchors, at * 3);
    at += part.corners.length / COORDS;
  }
  return { corners, anchors };
}

/**
 * The patches of one iteration. The expected number of positive
 * patches is positive · count, and an iteration's own number is within one of it; the others are
 * uniform over all positions. A positive patch: a lesion voxel is drawn uniformly from all of
 * them, then an offset that keeps it inside. Without any lesion all patches are uniform.
 */
export function drawPatches(
  volumes: readonly StoredVolume[],
  iteration: number,
  { seed, patch, count, positive }: SamplerOptions,
  stream: number = STREAM.cohort,
): DrawnPatches {
  const random = new Philox(seed, stream, iteration);
  const lesions = cumulative(volumes.map((v) => v.lesions.length));
  const positions = cumulative(volumes.map((v) => positionCount(v.size, patch)));
  const share = positive * count;
  const whole = Math.floor(share) + (random.uniform() < share % 1 ? 1 : 0);
  const positives = lesions.at(-1)! > 0 ? whole : 0;
  const corners = new Int32Array(count * COORDS);
  const anchors = new Float64Array(count * 3).fill((patch - 1) / 2);
  for (let i = 0; i < count; i++) {
    if (i < positives) {
      const { corner, anchor } = aroundLesion(volumes, lesions, patch, random);
      corners.set(corner, i * COORDS);
      anchors.set(anchor, i * 3);
    } else corners.set(anywhere(volumes, positions, patch, random), i * COORDS);
  }
  return { corners, anchors };
}

function cumulative(counts: readonly number[]): number[] {
  let sum = 0;
  return counts.map((n) => {
    sum += n;
    return sum;
  });
}

/** First and last position of a patch along an axis; a short axis is padded on either side. */
function range(size: number, patch: number): readonly [first: number, last: number] {
  return [Math.min(0, size - patch), Math.max(0, size - patch)];
}

function positionCount(size: Size3, patch: number): number {
  return size.reduce((product, n) => {
    const [first, last] = range(n, patch);
    return product * (last - first + 1);
  }, 1);
}

/** An integer in [first, last]; counts beyond 2³² do not occur along one axis. */
function between(random: Philox, first: number, last: number): number {
  return first + random.int(last - first + 1);
}

/** The volume in which item `item` of the cumulative counts lies. */
function locate(cumulated: readonly number[], item: number): number {
  return cumulated.findIndex((end) => item < end);
}

function anywhere(
  volumes: readonly StoredVolume[],
  positions: readonly number[],
  patch: number,
  random: Philox,
): number[] {
  const item = Math.floor(random.uniform() * positions.at(-1)!);
  const volume = volumes[locate(positions, item)]!;
  const [x, y, z] = volume.size.map((n) => between(random, ...range(n, patch)));
  return [volume.row, z!, y!, x!];
}

function aroundLesion(
  volumes: readonly StoredVolume[],
  lesions: readonly number[],
  patch: number,
  random: Philox,
): { corner: number[]; anchor: number[] } {
  const item = random.int(lesions.at(-1)!);
  const index = locate(lesions, item);
  const volume = volumes[index]!;
  const voxel = volume.lesions[item - (lesions[index - 1] ?? 0)]!;
  const at = voxelAt(voxel, volume.size);
  const [x, y, z] = volume.size.map((n, axis) => {
    const [first, last] = range(n, patch);
    const lesion = at[axis]!;
    return between(random, Math.max(first, lesion - patch + 1), Math.min(last, lesion));
  });
  const corner = [volume.row, z!, y!, x!];
  return { corner, anchor: [at[2]! - z!, at[1]! - y!, at[0]! - x!] };
}
