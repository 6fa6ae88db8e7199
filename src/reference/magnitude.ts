/** The largest magnitude, 0 of nothing; a spread into `Math.max` fails above some 100,000 values. */
export function largestMagnitude(values: Float64Array): number {
  return values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}
