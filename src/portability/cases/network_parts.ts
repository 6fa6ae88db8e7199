/** The network of the cases of whole networks, its bounds, and comparisons. */
import type { UNetConfig } from "../../nn/unet3d";
import type { Outcome } from "../case";
import { type Comparison, compare } from "../op_checks";
import { TEST_UNET } from "../test_unet";

/** Edge of a patch, voxels. */
export const PATCH = 8;
/** Of the Dice loss. */
export const EPSILON = 1;
const U = 2 ** -24;
/**
 * Bounds in units of 2⁻²⁴ of a tensor's largest element (docs/engine/portability.md): a convolution with its
 * norm may add 46; ten of them, independent of each other, add up as squares; and there and back.
 */
export const FORWARD = 46 * Math.sqrt(10);
export const BACKWARD = 2 * FORWARD;
export const unet = (...filters: [number, number, number]): UNetConfig => ({
  ...TEST_UNET,
  ...{ filters, groups: 2 },
});

export function outcomeOf(compared: readonly Comparison[], note?: string): Outcome {
  return {
    worst: Math.max(0, ...compared.map(({ worst }) => worst)),
    faults: compared.flatMap(({ fault }) => fault ?? []),
    note,
  };
}

/** Within so many units of the largest element of `scale`. */
export function near(
  name: string,
  got: ArrayLike<number>,
  expected: Float64Array,
  units: number,
  scale = expected,
): Comparison {
  const largest = scale.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  return compare(name, [expected.length], got, expected, units * U * largest);
}
