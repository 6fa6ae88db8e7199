/** The moments of a training's validations: after each `--validate-every` of its budget. */
import type { TrainConfig } from "../settings/config";

/** How far a training has come. */
export interface Reached {
  readonly iteration: number;
  /** Training time, seconds. */
  readonly seconds: number;
}

type Plan = Pick<TrainConfig, "iterations" | "seconds" | "validateEvery">;

/**
 * The number of validations that are due by then. A validation is due at the first iteration by
 * which its share of the budget is used up. Iterations are counted in whole numbers: in floating
 * point 0.6 / 0.1 is less than 6.
 */
export function validationsDue(plan: Plan, { iteration, seconds }: Reached): number {
  const { iterations, seconds: budget, validateEvery } = plan;
  if (validateEvery === 0) return 0;
  if (iterations === undefined) return Math.floor(seconds / budget! / validateEvery);
  const { numerator, denominator } = fractionOf(validateEvery);
  return Number((BigInt(iteration) * denominator) / (BigInt(iterations) * numerator));
}

/** A decimal number as it is written: 0.334 is 334 / 1000. */
function fractionOf(decimal: number): { numerator: bigint; denominator: bigint } {
  const [digits = "0", exponent = "0"] = String(decimal).split("e");
  const [whole = "0", places = ""] = digits.split(".");
  const power = Number(exponent) - places.length;
  const scale = 10n ** BigInt(Math.abs(power));
  const numerator = BigInt(whole + places);
  return power < 0
    ? { numerator, denominator: scale }
    : { numerator: numerator * scale, denominator: 1n };
}
