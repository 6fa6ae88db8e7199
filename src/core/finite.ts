/** Values that are NaN or infinite. */

export function countNotFinite(values: Float32Array): number {
  let count = 0;
  // What is finite, less itself, is 0; NaN and infinity give NaN.
  for (let i = 0; i < values.length; i++) if (values[i]! - values[i]! !== 0) count++;
  return count;
}
