/** What changes from step to step, worked out on the host in float64. */

export interface AdamConfig {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Kingma & Ba, 2015; PyTorch's defaults. */
export const ADAM: AdamConfig = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/**
 * The paper's steps: the initial learning rate, a tenth of it from 50 % of the budget on, a
 * hundredth from 80 % on.
 * @param progress share of the budget that is used up, 0 to 1
 */
export function stepLearningRate(initial: number, progress: number): number {
  if (progress >= 0.8) return initial / 100;
  return progress >= 0.5 ? initial / 10 : initial;
}

/**
 * Momentum of w̄ after step `t` (counted from 0): min(μ, (1 + t) / (10 + t)), the ramp of
 * mean-teacher practice, so that early random weights are forgotten; μ itself without the ramp.
 */
export function emaMomentum(mu: number, t: number, ramp = true): number {
  return ramp ? Math.min(mu, (1 + t) / (10 + t)) : mu;
}

/** Elements of the `step` tensor that adam, ema and batch_stats read. */
export const STEP_SIZE = 16;

/**
 * The `step` tensor of iteration `t` (from 0): [lr / (1 − β1ᵗ⁺¹), 1 / √(1 − β2ᵗ⁺¹), μ_t, row of the
 * statistics log].
 */
export function stepValues(
  t: number,
  learningRate: number,
  momentum: number,
  logRow: number,
  adam: AdamConfig = ADAM,
): Float32Array {
  const values = new Float32Array(STEP_SIZE);
  values[0] = learningRate / (1 - adam.beta1 ** (t + 1));
  values[1] = 1 / Math.sqrt(1 - adam.beta2 ** (t + 1));
  values[2] = momentum;
  values[3] = logRow;
  return values;
}
