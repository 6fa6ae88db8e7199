/** Reliability of probabilities: their calibration error, Brier score and share of lesion by bin, over voxels. */

/** Voxels of less are left out: millions that are clearly no lesion would outvote the few in question. */
export const LEAST_PROBABILITY = 0.01;
const BINS = 10;

/** Voxels whose probability is at least `low` and below `high`. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly voxels: number;
  /** Their mean probability, and the share of them that is lesion; null without voxels. */
  readonly probability: number | null;
  readonly share: number | null;
}

export interface Reliability {
  readonly voxels: number;
  /** Mean of (probability − truth)²; null without voxels, as is the next. */
  readonly brier: number | null;
  /** Mean of |probability − share| over the bins, by their voxels (Guo et al. 2017, ICML). */
  readonly ece: number | null;
  readonly bins: readonly ReliabilityBin[];
}

/** Adds up any number of maps. */
export class ReliabilityTally {
  private readonly count = new Float64Array(BINS);
  private readonly sum = new Float64Array(BINS);
  private readonly lesion = new Float64Array(BINS);
  private squares = 0;

  /** @param truth a number other than 0 is lesion; of as many voxels as the map */
  add(map: ArrayLike<number>, truth: ArrayLike<number>): void {
    for (let i = 0; i < map.length; i++) this.addVoxels(map[i]!, truth[i] === 0 ? 0 : 1, 1);
  }

  /** @param share of so many voxels that are lesion */
  addVoxels(probability: number, share: number, voxels: number): void {
    if (!(probability >= LEAST_PROBABILITY)) return;
    const bin = Math.min(BINS - 1, Math.floor(BINS * probability));
    this.count[bin]! += voxels;
    this.sum[bin]! += voxels * probability;
    this.lesion[bin]! += voxels * share;
    this.squares +=
      voxels * (share * (1 - probability) ** 2 + (1 - share) * probability * probability);
  }

  result(): Reliability {
    const { count, sum, lesion } = this;
    const bins = Array.from(count, (voxels, i): ReliabilityBin => {
      const [probability, share] = [sum, lesion].map((s) => (voxels > 0 ? s[i]! / voxels : null));
      const low = i === 0 ? LEAST_PROBABILITY : i / BINS;
      return { low, high: (i + 1) / BINS, voxels, probability: probability!, share: share! };
    });
    const voxels = count.reduce((total, n) => total + n, 0);
    if (voxels === 0) return { voxels, brier: null, ece: null, bins };
    const off = sum.reduce((total, s, i) => total + Math.abs(s - lesion[i]!), 0);
    return { voxels, brier: this.squares / voxels, ece: off / voxels, bins };
  }
}
