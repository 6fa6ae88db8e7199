/** Statistics of a visit's intensities. Augmentation changes contrast and brightness about them. */

const BINS = 256;
/** Share of the voxels that are at most as bright as air: well below what any head leaves free. */
const AIR_SHARE = 0.05;
/** Voxels of a large visit that are looked at: enough, and soon done. */
const SAMPLE = 2 ** 21;

export interface VisitStatistics {
  readonly least: number;
  readonly most: number;
  readonly mean: number;
  readonly deviation: number;
  /** What is nothing: the 5 % quantile. Gain and bias field leave it as it is. */
  readonly air: number;
  /** Mean of the voxels above the mean: the head, in an image with air around it. */
  readonly tissue: number;
  /** Share of the voxels by intensity, in equal steps from `least` to `most`. */
  readonly histogram: Float64Array;
}

/**
 * Of every voxel, or of some two million in equal steps.
 * @throws RangeError where a voxel is NaN or infinite
 */
export function visitStatistics(visit: Float32Array): VisitStatistics {
  const values = sampled(visit);
  let [least, most, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const v of values) {
    if (v < least) least = v;
    if (v > most) most = v;
    sum += v;
  }
  if (!Number.isFinite(sum)) throw new RangeError("visitStatistics: a voxel is NaN or infinite");
  const mean = sum / values.length;
  const histogram = new Float64Array(BINS);
  const perBin = most > least ? BINS / (most - least) : 0;
  let [squares, above, count] = [0, 0, 0];
  for (const v of values) {
    histogram[Math.min(BINS - 1, Math.floor((v - least) * perBin))]! += 1 / values.length;
    squares += (v - mean) ** 2;
    if (v > mean) {
      above += v;
      count++;
    }
  }
  return {
    least,
    most,
    mean,
    deviation: Math.sqrt(squares / values.length),
    air: quantile(histogram, AIR_SHARE, least, most),
    tissue: count > 0 ? above / count : mean,
    histogram,
  };
}

function sampled(visit: Float32Array): Float32Array {
  if (visit.length <= SAMPLE) return visit;
  // An odd step does not keep to the columns of a grid whose rows are even.
  const step = Math.ceil(visit.length / SAMPLE) | 1;
  return Float32Array.from({ length: Math.floor(visit.length / step) }, (_, i) => visit[i * step]!);
}

function quantile(histogram: Float64Array, share: number, least: number, most: number): number {
  let below = 0;
  const bin = histogram.findIndex((part) => {
    below += part;
    return below >= share;
  });
  return least + ((Math.max(0, bin) + 0.5) / BINS) * (most - least);
}

/** Mean and standard deviation of a map of the intensities, by the histogram. */
export function mappedMoments(
  { histogram, least, most }: VisitStatistics,
  map: (value: number) => number,
): { mean: number; deviation: number } {
  let [mean, square] = [0, 0];
  for (const [bin, share] of histogram.entries()) {
    if (share === 0) continue;
    const value = map(least + ((bin + 0.5) / BINS) * (most - least));
    mean += share * value;
    square += share * value * value;
  }
  return { mean, deviation: Math.sqrt(Math.max(0, square - mean * mean)) };
}
