/**
 * Inputs below 2⁻¹²⁶. WGSL lets an adapter take any of them, and any result of theirs, as 0: an output
 * may be off by what its terms come to, and no further.
 */

import type { Outcome } from "../case";
import { compare } from "../op_checks";
import type { OpGraph, Readback } from "../op_run";
import { copy } from "../op_run";

/** The least number that is not denormal. */
const NORMAL = 2 ** -126;
/** Bounds are at least 2⁻²⁴ of the sum of the absolute values of the terms. */
const TERMS = 2 ** 24;

export function denormalOutcome(recorded: OpGraph, result: Readback): Outcome {
  const { trial, applications, wanted } = recorded;
  const { reference, case: c, inputs } = trial;
  let worst = 0;
  let kept = 0;
  const faults: string[] = [];
  for (const [name, t] of Object.entries(applications[0]!.outputs)) {
    const expected = trial.outputs[name]!;
    if (wanted.length > 0 || t.dtype !== "f32") continue;
    const bound = reference.bound(name, copy(inputs), c.inputs, c.attrs);
    const terms = expected.map(
      (_, i) => TERMS * (typeof bound === "number" ? bound : bound[i]!) + 4 * NORMAL,
    );
    const got = result.values(t);
    const found = compare(name, t.shape, got, expected, terms);
    worst = Math.max(worst, found.worst);
    if (found.fault) faults.push(found.fault);
    kept += got.filter((v) => v !== 0 && Math.abs(v) < NORMAL).length;
  }
  return { worst, faults, note: kept > 0 ? "denormals kept" : "denormals flushed to 0" };
}
