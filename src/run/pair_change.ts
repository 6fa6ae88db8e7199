/** The change statistic of a pair, and how its visits were made comparable for it. */
import type { Cluster } from "../change/change_statistic";
import type { Mask, Volume } from "../data/volume";
import type { ToldPair } from "./compared_pair";
import type { PredictedPair } from "./predict_read";

export interface PairChange extends ToldPair {
  readonly acquisitions: PredictedPair["acquisitions"];
  readonly visits?: readonly [Volume, Volume];
  /** z of the change, on the grid that was asked for. */
  readonly z: Volume;
  /** Clusters that are brighter at visit 2. */
  readonly mask: Mask;
  readonly brighter: readonly Cluster[];
  readonly darker: readonly Cluster[];
  /** Robust standard deviation of the difference, of the brain's median brightness. */
  readonly spread: number;
}
