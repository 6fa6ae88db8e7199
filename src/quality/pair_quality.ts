/**
 * The quality of a pair of visits, and whether it is fit for the question "any new lesion?". A page may
 * import it. The thresholds stand in docs/guides/inference.md.
 */
import { fieldOfView, type SeenVisit } from "../brain/pair_brain";
import { type Bias, robustSpread } from "../change/differential_bias";
import { applyAffine, invertAffine, multiplyAffine } from "../data/affine";
import { resampleMaskTo, resampleTo } from "../data/resample";
import { gaussian, inVoxels } from "../data/smooth";
import { type Affine, type Grid, type Mask, type Volume, voxelSize } from "../data/volume";
import type { Alignment } from "../register/align";
import { findHead } from "../register/head";
import { cubeCorrelation } from "../register/quality";
import type { MeasuredPair, VisitQuality } from "./measured_pair";
import { identityReservations, reservationsOf } from "./reservations";
import { visitQuality } from "./visit_quality";

/** Two visits as they were made comparable. */
export interface ComparedPair {
  /** As they were read. */
  readonly images: readonly [Volume, Volume];
  /** Where they lie as seen from the pair, with their brains where these are known. */
  readonly seen: readonly [SeenVisit, SeenVisit];
  /** On one grid, without the bias between them. */
  readonly pair: { readonly time1: Volume; readonly time2: Volume };
  /** Of both visits, in the world of the pair. */
  readonly brain?: Mask;
  readonly bias?: Bias;
  readonly alignment?: Alignment;
  /** Why the brain of a head was not found, by visit. */
  readonly doubts: readonly [string | undefined, string | undefined];
}

export interface PairQuality extends MeasuredPair {
  /** Sentences on why the pair is not fit for the question; none where it is. */
  readonly reservations: readonly string[];
}

export function pairQuality(compared: ComparedPair): PairQuality {
  const { images, seen, brain, bias, alignment } = compared;
  const visits = [0, 1].map((i) => visitQuality(images[i]!, seen[i]!.mask)) as unknown as [
    VisitQuality,
    VisitQuality,
  ];
  const registration = alignment?.registration;
  const smooth = brain && smoothed(compared.pair, brain);
  const quality = {
    visits,
    alignment: {
      similarity: registration?.similarity ?? (smooth && similarityOf(smooth)),
      movedMm: registration?.moved,
      residual: registration?.fit.scale,
    },
    coverage: coverageOf(images, seen),
    drift: {
      range: bias?.range,
      ...(smooth && driftOf(smooth)),
    },
  };
  const reservations = [
    ...identityReservations(images),
    ...reservationsOf(quality, alignment, compared.doubts),
  ];
  return { ...quality, reservations };
}

/** Voxels of this edge are compared, mm: as at the last level of registration. */
const SPACING = 2.5;
/** Well inside the brain, as in registration: a Gaussian of so many mm, and the share that is brain. */
const INSIDE_MM = 3;
const INSIDE_SHARE = 0.8;

interface Smoothed extends Grid {
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly counts: Uint8Array;
}

/** Both visits in voxels of 2.5 mm, smoothed to that, and what is well inside the brain at both. */
function smoothed({ time1, time2 }: ComparedPair["pair"], both: Mask): Smoothed {
  const edges = voxelSize(both.affine).map((edge) => edge / SPACING);
  const size = both.size.map((n, k) => Math.max(1, Math.floor(n * edges[k]!)));
  const affine = both.affine.map((v, i) => (i < 12 && i % 4 < 3 ? v / edges[i % 4]! : v));
  const grid = { size: [size[0]!, size[1]!, size[2]!] as const, affine };
  const sigma = inVoxels(SPACING / 2, [SPACING, SPACING, SPACING]);
  const [a, b] = [time1, time2].map((v) => gaussian(resampleTo(v, grid).data, grid.size, sigma));
  const inBoth = Float32Array.from(resampleMaskTo(both, grid).data);
  const share = gaussian(inBoth, grid.size, inVoxels(INSIDE_MM, [SPACING, SPACING, SPACING]));
  const counts = Uint8Array.from(share, (v) => (v > INSIDE_SHARE ? 1 : 0));
  return { ...grid, a: a!, b: b!, counts };
}

const similarityOf = ({ a, b, counts, size }: Smoothed): number =>
  cubeCorrelation(a, b, counts, size, SPACING);

/** Of visit 2 over visit 1: brightness, and the spread of the tissues in terms of it. */
function driftOf({ a, b, counts }: Smoothed): MeasuredPair["drift"] {
  const [one, two] = [a, b].map((values) => robustSpread(values.filter((_, i) => counts[i])));
  const brightness = two!.middle / one!.middle;
  const contrast = two!.sigma / one!.sigma / brightness;
  return Number.isFinite(contrast) ? { brightness, contrast } : {};
}

function coverageOf(
  images: ComparedPair["images"],
  [one, two]: ComparedPair["seen"],
): MeasuredPair["coverage"] {
  const between = (from: SeenVisit, to: SeenVisit): Affine =>
    multiplyAffine(to.toVisit, invertAffine(from.toVisit));
  const [first, second] = [
    shareOf(images[0], one, two.grid, between(one, two)),
    shareOf(images[1], two, one.grid, between(two, one)),
  ];
  return { shares: [first.share, second.share], of: [first.of, second.of] };
}

/** @param motion from the world of the visit to that of the other's grid */
function shareOf(image: Volume, { mask }: SeenVisit, other: Grid, motion: Affine) {
  if (mask) {
    const field = fieldOfView(other, motion, mask);
    let [inside, all] = [0, 0];
    mask.data.forEach((v, i) => {
      all += v;
      inside += v & field[i]!;
    });
    return { share: all > 0 ? inside / all : 1, of: "brain" as const };
  }
  const points = findHead(image)?.points ?? [];
  const to = multiplyAffine(invertAffine(other.affine), motion);
  const held = points.filter((p) =>
    applyAffine(to, p).every((at, axis) => at > -0.5 && at < other.size[axis]! - 0.5),
  );
  return { share: points.length > 0 ? held.length / points.length : 1, of: "head" as const };
}
