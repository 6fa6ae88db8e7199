/** Small systems of normal equations, in float64. */

/**
 * Solves A x = b for a symmetric positive definite A (n × n, row-major) by Cholesky's decomposition,
 * after scaling the diagonal to 1. Undefined where A is not positive definite: nothing to go by.
 */
export function solveNormal(A: readonly number[], b: readonly number[]): number[] | undefined {
  const n = b.length;
  const scale = Array.from({ length: n }, (_, i) => 1 / Math.sqrt(A[i * n + i]!));
  if (!scale.every(Number.isFinite)) return undefined;
  const L = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = A[i * n + j]! * scale[i]! * scale[j]!;
      for (let k = 0; k < j; k++) sum -= L[i * n + k]! * L[j * n + k]!;
      if (i === j && !(sum > 1e-12)) return undefined;
      L[i * n + j] = i === j ? Math.sqrt(sum) : sum / L[j * n + j]!;
    }
  }
  const x = b.map((v, i) => v * scale[i]!);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= L[i * n + k]! * x[k]!;
    x[i]! /= L[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= L[k * n + i]! * x[k]!;
    x[i]! /= L[i * n + i]!;
  }
  return x.map((v, i) => v * scale[i]!);
}
