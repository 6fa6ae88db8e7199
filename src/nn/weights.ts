/** Named parameters as ranges of one flat buffer, on the device. */
import { rangeOf, state, type Tensor } from "../core/tensor";
import { layout, type ParameterSpec } from "./parameters";
import type { ParameterTensors } from "./unet3d";

export interface FlatParameters {
  readonly flat: Tensor;
  readonly named: ParameterTensors;
}

/** A flat state tensor with room for all of `specs`, and a range of it for each. */
export function flatParameters(name: string, specs: readonly ParameterSpec[]): FlatParameters {
  const { offsets, total } = layout(specs);
  const flat = state(name, [total]);
  const named = new Map<string, Tensor>();
  for (const [i, spec] of specs.entries()) {
    named.set(spec.name, rangeOf(flat, `${name}.${spec.name}`, offsets[i]!, spec.shape));
  }
  return { flat, named };
}
