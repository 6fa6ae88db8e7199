/** The scalars that change from step to step, computed on the host in float64. */
import type { ScheduleName } from "../settings/names";

export interface AdamConfig {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Kingma & Ba, 2015; PyTorch's defaults. */
export const ADAM: AdamConfig = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

export interface ScheduleConfig {
  /**
   * `step`, the paper's: a tenth from 50 % of the budget on, a hundredth from 80 % on. `cosine`: half
   * a cosine down to 0 (Loshchilov & Hutter 2017, without restarts). `poly`: (1 − progress)^0.9, as
   * nnU-Net.
   */
  readonly schedule: ScheduleName;
  readonly learningRate: number;
  /** Share of the budget in which the rate rises linearly to what the schedule says. */
  readonly warmUp: number;
}

const POLY_POWER = 0.9;

/** Share of the initial rate that is left. */
function decay(schedule: ScheduleConfig["schedule"], progress: number): number {
  switch (schedule) {
    case "step":
      if (progress >= 0.8) return 1 / 100;
      return progress >= 0.5 ? 1 / 10 : 1;
    case "cosine":
      return (1 + Math.cos(Math.PI * progress)) / 2;
    case "poly":
      return (1 - progress) ** POLY_POWER;
    default:
      return schedule satisfies never;
  }
}

/** @param progress share of the budget that is used up: 0 at the first iteration, below 1 at the last */
export function learningRateAt(config: ScheduleConfig, progress: number): number {
  const { schedule, learningRate, warmUp } = config;
  const used = Math.min(1, Math.max(0, progress));
  const rise = used < warmUp ? used / warmUp : 1;
  // From a thousandth: a first step at rate 0 would be lost.
  return learningRate * decay(schedule, used) * Math.max(rise, 1e-3);
}

/**
 * Momentum of w̄ after step `t` (counted from 0): min(μ, (1 + t) / (10 + t)), the ramp of
 * mean-teacher practice, so that early random weights are forgotten; μ itself without the ramp.
 */
export function emaMomentum(mu: number, t: number, ramp = true): number {
  return ramp ? Math.min(mu, (1 + t) / (10 + t)) : mu;
}

/** Elements of the `step` tensor that adam, batch_stats and sampling_keys read. */
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
