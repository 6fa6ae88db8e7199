/**
 * Two visits made comparable: on one grid, and without the smooth difference of their brightness. What
 * a network or a statistic sees. A page may import it.
 */
import { type BrainMask, findBrain } from "../brain/brain_mask";
import { pairBrain, type SeenVisit } from "../brain/pair_brain";
import { brighterBrain } from "../change/brighter_brain";
import { type Bias, biasBetween, biasText, withoutBias } from "../change/differential_bias";
import { IDENTITY } from "../data/affine";
import { withoutHotVoxels } from "../data/hot_voxels";
import { shownPart } from "../data/shown_part";
import type { Mask } from "../data/volume";
import type { Memory } from "../gpu/memory";
import { type ComparedPair, type PairQuality, pairQuality } from "../quality/pair_quality";
import { type Alignment, type Brains, isHeadSized } from "../register/align";
import { findHead } from "../register/head";
import type { BiasMode, RegisterMode } from "../settings/names";
import { type PlacedPair, placeBy, placePair, type ReadImage } from "./placed_pair";

/** Raise when the same visits on one grid are matched, or their lesions allowed, in another way: prepared patients are made again. */
export const MATCH_VERSION = 5;

export interface MatchOptions {
  /** Default "auto". */
  readonly register?: RegisterMode;
  /** Default "auto". */
  readonly bias?: BiasMode;
  /** "auto", the default: looked for in both visits. A mask is one on the grid of visit 1. */
  readonly brain?: "auto" | "off" | Mask;
  /** What registration found before about the same visits; it is looked for if absent. */
  readonly found?: Alignment;
}

export interface MatchedPair extends PlacedPair {
  /** Both visits as they were read, without hot voxels. */
  readonly visits: readonly [ReadImage, ReadImage];
  /** Brain mask of each visit in its own world, where there is a plausible one. */
  readonly brains: Brains;
  /** Why the brain of a visit that shows a head was not found. */
  readonly doubts: readonly [string | undefined, string | undefined];
  /** Brain at both visits, in the world of `pair`; absent where no visit has a mask. */
  readonly brain?: Mask;
  /** What was taken out of `pair`. */
  readonly bias?: Bias;
}

/**
 * Registers, looks for the brain, and takes out the bias between the visits. The notes of `pair` tell
 * in one line each what was done or left out, and why.
 * @throws UserError as placePair
 */
export async function matchPair(
  memory: Memory,
  visit1: ReadImage,
  visit2: ReadImage,
  { register = "auto", bias: biasMode = "auto", brain: wanted = "auto", found }: MatchOptions = {},
): Promise<MatchedPair> {
  const visits = [visit1, visit2].map(({ path, image }) => ({
    path,
    image: withoutHotVoxels(image, path),
  })) as [ReadImage, ReadImage];
  const { brains, doubts } = brainsOf(visits, wanted);
  const notes = doubts.flatMap((doubt, i) =>
    doubt === undefined ? [] : [`visit ${i + 1}: ${doubt}; no brain mask of it is used`],
  );
  const placed = found
    ? await placeBy(memory, ...visits, register, found)
    : await placePair(memory, ...visits, register, brains);
  // A mask that was given is the brain of both visits.
  const masks: Brains = typeof wanted === "string" ? brains : [wanted, undefined];
  const brain = pairBrain(seenVisits(placed, visits, masks), placed.pair.time1);
  const matched = { ...placed, visits, brains, doubts, brain };
  if (biasMode === "off") return withNotes(matched, notes);
  const { bias, line } = biasOf(matched);
  const { pair } = placed;
  const [time1, time2] = bias
    ? withoutBias(pair.time1, pair.time2, bias)
    : [pair.time1, pair.time2];
  return withNotes({ ...matched, pair: { ...pair, time1, time2 }, bias }, [...notes, line]);
}

/** Where lesions may lie: where visit 2 is brighter in the brain of both. Undefined without a brain. */
export function brighterIn({
  pair,
  brain,
}: Pick<ComparedPair, "pair" | "brain">): Mask | undefined {
  return brain && brighterBrain(pair.time1, pair.time2, brain);
}

const withNotes = (matched: MatchedPair, notes: readonly string[]): MatchedPair => ({
  ...matched,
  pair: { ...matched.pair, notes: [...matched.pair.notes, ...notes] },
});

/** Masks of the visits in their own worlds, and why one could not be found. */
export function brainsOf(
  visits: readonly [ReadImage, ReadImage],
  wanted: "auto" | "off" | Mask,
): Pick<MatchedPair, "brains" | "doubts"> {
  const found = visits.map(({ image }, i): BrainMask | undefined => {
    if (wanted === "off" || (i === 0 && wanted !== "auto")) return undefined;
    return isHeadSized(image) ? findBrain(image) : undefined;
  });
  const own = found.map((brain) => (brain?.doubt === undefined ? brain?.mask : undefined));
  const first = typeof wanted === "string" ? own[0] : wanted;
  return { brains: [first, own[1]], doubts: [found[0]?.doubt, found[1]?.doubt] };
}

/** Where the visits lie as seen from the pair; padding is no field of view. */
function seenVisits(
  { pose }: PlacedPair,
  [one, two]: MatchedPair["visits"],
  brains: Brains,
): [SeenVisit, SeenVisit] {
  return [
    { grid: shownPart(one.image), toVisit: pose?.toVisit1 ?? IDENTITY, mask: brains[0] },
    { grid: shownPart(two.image), toVisit: pose?.toVisit2 ?? IDENTITY, mask: brains[1] },
  ];
}

/** The bias in the brain, else in the head. */
function biasOf({ pair, alignment, brain, native }: MatchedPair): { bias?: Bias; line: string } {
  const left = (why: string) => ({ line: `bias: left as it is, ${why}` });
  if (alignment && !alignment.trusted) return left("the visits do not show one head");
  if (!brain && !native.every(isHeadSized)) return left("the images are smaller than a head");
  const region = brain ?? headOf(pair);
  const bias = region && biasBetween(pair.time1, pair.time2, region);
  if (!bias) return left("too little of the head is bright at both visits");
  const where = brain ? "" : "; there is no brain mask: it is that of the whole head";
  return { bias, line: biasText(bias) + where };
}

/** What is bright at both visits. */
function headOf({ time1, time2 }: PlacedPair["pair"]): Mask | undefined {
  const heads = [findHead(time1), findHead(time2)];
  if (!heads[0] || !heads[1]) return undefined;
  const [t1, t2] = [heads[0].threshold, heads[1].threshold];
  const data = new Uint8Array(time1.data.length);
  for (let i = 0; i < data.length; i++) {
    data[i] = time1.data[i]! > t1 && time2.data[i]! > t2 ? 1 : 0;
  }
  return { size: time1.size, affine: time1.affine, data };
}

/** Whether the visits are fit to be compared, and by what. */
export function qualityOf(matched: MatchedPair): PairQuality {
  const [one, two] = matched.visits;
  return pairQuality({
    ...matched,
    images: [one.image, two.image],
    seen: seenVisits(matched, matched.visits, matched.brains),
  });
}
