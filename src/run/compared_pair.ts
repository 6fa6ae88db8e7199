/** Two visits made comparable and measured, and told of. */
import type { Memory } from "../gpu/memory";
import type { PairQuality } from "../quality/pair_quality";
import { qualityLines } from "../quality/quality_text";
import { type MatchedPair, type MatchOptions, matchPair, qualityOf } from "./matched_pair";
import type { Observer } from "./observer";
import type { ReadImage } from "./placed_pair";

export interface ToldPair {
  readonly placed: MatchedPair;
  readonly quality: PairQuality;
}

/** All of it is told before any answer. @throws UserError as matchPair */
export async function comparePair(
  memory: Memory,
  images: readonly [ReadImage, ReadImage],
  options: MatchOptions,
  observer: Observer,
): Promise<ToldPair> {
  const placed = await matchPair(memory, ...images, options);
  for (const note of placed.pair.notes) observer.note(note);
  const quality = qualityOf(placed);
  for (const line of qualityLines(quality)) observer.note(line);
  for (const why of quality.reservations) observer.note(`NOT FIT: ${why}`);
  observer.onStage?.("registration");
  return { placed, quality };
}
