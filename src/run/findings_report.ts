/** Facts about a pair for the JSON of its findings. */
import { rotationDegrees } from "../register/rigid";
import type { PlacedPair } from "./placed_pair";

/** What registration did; undefined where there was none. */
export function registrationOf({ alignment, pose }: PlacedPair) {
  if (!alignment?.registration) return undefined;
  const { registration, aligned, trusted, mirrored } = alignment;
  const { transform, moved, similarity, similarityBefore } = registration;
  return {
    aligned,
    trusted,
    mirrored,
    applied: pose !== undefined,
    visit1ToVisit2: transform,
    rotationDegrees: rotationDegrees(transform),
    movedMm: moved,
    similarityBefore,
    similarity,
  };
}
