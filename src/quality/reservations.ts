/** Sentences on why two visits are not fit for the question "any new lesion?", with their thresholds. */
import type { Volume } from "../data/volume";
import { isOneImage } from "../data/voxel_order";
import { type Alignment, doubtText, LEAST_SIMILARITY } from "../register/align";
import type { MeasuredPair } from "./measured_pair";

/** Each visit must hold this share of the brain of the other, or of its head, which may differ in the neck. */
export const LEAST_COVERAGE = { brain: 0.9, head: 0.7 } as const;
/** Guidelines ask for 3 mm or less (Wattjes et al., Lancet Neurology 20, 2021); this is no longer near. */
export const MOST_SLICE_MM = 4.5;
/** Lesions are 20 to 40 % brighter than what surrounds them: noise of more hides faint ones. */
export const MOST_NOISE = 0.12;
/** In FLAIR fluid is much darker than the brain: below, the image is of another contrast. */
export const LEAST_CONTRAST = 0.2;
/** Tissues may differ so many times as much at one visit as at the other. */
export const MOST_DRIFT = 2;

const ORDINALS = ["first", "second"] as const;
const percent = (share: number) => `${(100 * share).toFixed(0)} %`;

/** The same file twice, also where one of the two was stored in another order or moved by its header. */
export function identityReservations(images: readonly [Volume, Volume]): string[] {
  if (!isOneImage(...images)) return [];
  return ["both visits hold the same voxels: they are one image, and nothing can be new in it"];
}

/** @param doubts why the brain of a head was not found, by visit */
export function reservationsOf(
  quality: MeasuredPair,
  alignment: Alignment | undefined,
  doubts: readonly [string | undefined, string | undefined],
): string[] {
  return [
    ...alignmentReservations(quality, alignment),
    ...coverageReservations(quality),
    ...doubts.flatMap((doubt, i) =>
      doubt === undefined ? [] : [`the ${ORDINALS[i]} visit shows no whole brain: ${doubt}`],
    ),
    ...visitReservations(quality),
    ...driftReservations(quality),
  ];
}

function alignmentReservations(
  { alignment: { similarity } }: MeasuredPair,
  alignment: Alignment | undefined,
): string[] {
  if (alignment) return alignment.trusted ? [] : [doubtText(alignment)];
  if (similarity === undefined || similarity >= LEAST_SIMILARITY) return [];
  return [
    `the visits do not lie on each other as one head (similarity ${similarity.toFixed(2)}, ` +
      `${LEAST_SIMILARITY} is wanted); they were not registered`,
  ];
}

function coverageReservations({ coverage }: MeasuredPair): string[] {
  return coverage.shares.flatMap((share, i) => {
    const what = coverage.of[i]!;
    if (share >= LEAST_COVERAGE[what]) return [];
    return [`the ${ORDINALS[1 - i]} visit covers ${percent(share)} of the ${what}`];
  });
}

function visitReservations({ visits }: MeasuredPair): string[] {
  return visits.flatMap(({ sliceMm, noise, contrast }, i) => {
    const visit = `the ${ORDINALS[i]} visit`;
    const found: string[] = [];
    if (sliceMm > MOST_SLICE_MM) {
      found.push(
        `slices of ${Number(sliceMm.toPrecision(2))} mm at ${visit}: lesions under ` +
          `${Number((sliceMm / 2).toPrecision(2))} mm lose half of their contrast and more, and cannot be seen`,
      );
    }
    if (noise !== undefined && noise > MOST_NOISE) {
      found.push(
        `noise of ${percent(noise)} of the brightness at ${visit}: faint lesions cannot be told from it`,
      );
    }
    if (contrast !== undefined && contrast < LEAST_CONTRAST) {
      found.push(
        `fluid is hardly darker than the brain at ${visit} (by ${percent(contrast)}): it does not look like FLAIR`,
      );
    }
    return found;
  });
}

function driftReservations({ drift: { contrast } }: MeasuredPair): string[] {
  if (contrast === undefined || Math.max(contrast, 1 / contrast) <= MOST_DRIFT) return [];
  const then =
    contrast > 1 ? "what was there before may look new" : "what is new may not stand out";
  return [
    `tissues differ ${contrast.toFixed(2)} times as much at the second visit as at the first, which is another ` +
      `contrast: ${then}`,
  ];
}
