/** The spread of residuals from their histogram. */

/** Makes the median absolute deviation of a normal distribution its standard deviation. */
const MAD_TO_SIGMA = 1.4826;

function sum(counts: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i]!;
  return total;
}

/** Where a cumulative count is reached, between the edges of bins. */
function quantileOf(counts: ArrayLike<number>, share: number): number {
  const total = sum(counts);
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count > 0 && below + count >= share * total) return i + (share * total - below) / count;
    below += count;
  }
  return counts.length;
}

/**
 * 1.4826 · MAD of the values in a histogram of bins of equal width over [−limit, limit], at least half
 * a bin; undefined where it is empty.
 */
export function robustScale(counts: ArrayLike<number>, limit: number): number | undefined {
  if (sum(counts) === 0) return undefined;
  const middle = quantileOf(counts, 0.5);
  // Folded at the median: parts of bins go where their deviation belongs.
  const folded = new Float64Array(2 * counts.length + 2);
  const parts = 8;
  for (let i = 0; i < counts.length; i++) {
    for (let part = 0; part < parts; part++) {
      const deviation = Math.abs(i + (part + 0.5) / parts - middle);
      folded[Math.floor(2 * deviation)]! += counts[i]! / parts;
    }
  }
  const bin = (2 * limit) / counts.length;
  return MAD_TO_SIGMA * Math.max(0.5, quantileOf(folded, 0.5) / 2) * bin;
}
