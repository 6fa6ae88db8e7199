/** Both visits on the grid of an answer, to be looked at. */
import { IDENTITY, invertAffine, sameGrid } from "../data/affine";
import type { Affine, Volume } from "../data/volume";
import type { Memory } from "../gpu/memory";
import { warpTo } from "../register/warp";
import type { MatchedPair } from "./matched_pair";
import type { AnswerGrid } from "./placed_pair";

/** Each is interpolated once, from its own file, or not at all; its brightness stays as it was. */
export async function visitsOnGrid(
  memory: Memory,
  placed: MatchedPair,
  name: AnswerGrid,
): Promise<[Volume, Volume]> {
  const { visits, pair } = placed;
  const grid = { t1: visits[0].image, t2: visits[1].image, middle: pair.time1 }[name];
  const motions = motionsTo(placed, name);
  const put = async (i: 0 | 1): Promise<Volume> => {
    const { image } = visits[i];
    if (motions[i] === IDENTITY && sameGrid(image, grid)) return image;
    return warpTo(memory, image, motions[i], grid);
  };
  return [await put(0), await put(1)];
}

/** From the world of the answer to that of each visit. */
function motionsTo({ pose, alignment }: MatchedPair, name: AnswerGrid): readonly [Affine, Affine] {
  const transform = alignment?.registration?.transform;
  if (!pose || !transform) return [IDENTITY, IDENTITY];
  if (name === "middle") return [pose.toVisit1, pose.toVisit2];
  return name === "t1" ? [IDENTITY, transform] : [invertAffine(transform), IDENTITY];
}
