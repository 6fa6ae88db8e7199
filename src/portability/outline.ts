/** Cases without values: what an op launches can be recorded from them, and is not run. */
import { elements } from "../core/tensor";
import type { Case, Reference } from "../reference/reference";
import { type Trial, trialOf } from "./op_run";

/** Elements of all inputs. */
export function sizeOf({ inputs }: Case<unknown>): number {
  return Object.values(inputs).reduce((sum, shape) => sum + elements(shape), 0);
}

/** The declared cases, the one with the fewest elements first. */
export function casesBySize({ cases }: Reference<unknown>): Case<unknown>[] {
  return [...cases].sort((a, b) => sizeOf(a) - sizeOf(b));
}

const gradients = new WeakMap<Reference<unknown>, readonly string[]>();

/** Names of the inputs that have gradients, from the reference's smallest case. */
export function gradientNames(reference: Reference<unknown>): readonly string[] {
  const found =
    gradients.get(reference) ??
    Object.keys(trialOf(reference, casesBySize(reference)[0]!).gradients);
  gradients.set(reference, found);
  return found;
}

/** @param wanted inputs whose gradients are asked for: all that have one, if absent */
export function outlineOf(
  reference: Reference<unknown>,
  c: Case<unknown>,
  half = false,
  wanted: readonly string[] = gradientNames(reference),
): Trial {
  const nothing = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, new Float64Array()]));
  const dys = nothing(wanted.length > 0 ? (reference.differentiable ?? ["y"]) : []);
  const empty = { inputs: {}, outputs: {}, dys, gradients: nothing(wanted) };
  return { reference, case: c, half, ...empty };
}
