/**
 * Verifies that candidates compute the right thing. Some elements of every output are checked against
 * float64. The rest is compared with the first candidate that passed, and where two differ most,
 * float64 decides which of them is wrong.
 */
import { Philox } from "../core/random";
import type { Exact } from "./trial";

/** The outputs of a candidate by name, float32. */
export type Outputs = ReadonlyMap<string, Float32Array>;

/** Terms of sums that a trial's samples may take in all: well under a second. */
const TERMS = 5e6;
const FEWEST = 8;
const MOST = 512;
/** Elements on which float64 is asked where two candidates differ. */
const DISPUTED = 16;
const SEED = 11;

interface Sample extends Exact {
  readonly i: number;
}

/** NaN is never near. */
const isNear = (value: number, { value: right, bound }: Exact) => Math.abs(value - right) <= bound;

function describe(name: string, i: number, got: number, { value, bound }: Exact): string {
  return `wrong result: ${name}[${i}] is ${got}, should be ${value} ± ${bound.toExponential(1)}`;
}

export class Verifier {
  private readonly samples = new Map<string, Sample[]>();
  private accepted: { readonly name: string; readonly outputs: Outputs } | undefined;
  private readonly overruled = new Map<string, string>();

  /**
   * @param exact an element of an output in float64, by the output's name and a flat index
   * @param derived outputs that `exact` computes from the other outputs of the same candidate
   */
  constructor(
    private readonly exact: (output: string, i: number, outputs: Outputs) => Exact,
    private readonly derived: readonly string[] = [],
  ) {}

  /** Why the outputs of a candidate are wrong; undefined if they are right. */
  judge(candidate: string, outputs: Outputs): string | undefined {
    for (const [name, values] of outputs) {
      for (const sample of this.samplesOf(name, outputs)) {
        const got = values[sample.i]!;
        if (!isNear(got, sample)) return describe(name, sample.i, got, sample);
      }
    }
    const reason = this.disagreement(outputs);
    if (reason === undefined) this.accepted ??= { name: candidate, outputs };
    return reason;
  }

  /** Why a candidate that {@link judge} let pass is wrong after all: another one showed it. */
  overruling(candidate: string): string | undefined {
    return this.overruled.get(candidate);
  }

  private samplesOf(name: string, outputs: Outputs): Sample[] {
    const found = this.samples.get(name);
    if (found) return found;
    const count = outputs.get(name)!.length;
    const random = new Philox(SEED);
    const samples: Sample[] = [];
    const take = (i: number) => samples.push({ i, ...this.exact(name, i, outputs) });
    // The corners are where borders are got wrong.
    for (const i of new Set([0, count - 1])) take(i);
    const terms = Math.max(1, ...samples.map((s) => s.terms));
    const wanted = Math.min(count, MOST, Math.max(FEWEST, Math.floor(TERMS / terms)));
    while (samples.length < wanted) take(random.int(count));
    if (!this.derived.includes(name)) this.samples.set(name, samples);
    return samples;
  }

  private disagreement(outputs: Outputs): string | undefined {
    const { accepted } = this;
    if (!accepted) return undefined;
    for (const [name, values] of outputs) {
      if (this.derived.includes(name)) continue;
      const others = accepted.outputs.get(name)!;
      const least = Math.min(...this.samples.get(name)!.map(({ bound }) => bound));
      for (const i of mostDifferent(values, others, least)) {
        const right = this.exact(name, i, outputs);
        if (!isNear(values[i]!, right)) return describe(name, i, values[i]!, right);
        if (!isNear(others[i]!, right)) {
          this.overruled.set(accepted.name, describe(name, i, others[i]!, right));
          this.accepted = undefined;
          return undefined;
        }
      }
    }
    return undefined;
  }
}

/** Indices where two arrays differ by more than `tolerance`, the worst few; NaN is worst. */
function mostDifferent(a: Float32Array, b: Float32Array, tolerance: number): number[] {
  const worst: { i: number; by: number }[] = [];
  let threshold = tolerance;
  for (let i = 0; i < a.length; i++) {
    const by = Math.abs(a[i]! - b[i]!);
    if (by <= threshold) continue;
    worst.push({ i, by: Number.isNaN(by) ? Number.POSITIVE_INFINITY : by });
    if (worst.length < 2 * DISPUTED) continue;
    worst.sort((p, q) => q.by - p.by).length = DISPUTED;
    threshold = worst.at(-1)!.by;
  }
  return worst
    .sort((p, q) => q.by - p.by)
    .slice(0, DISPUTED)
    .map(({ i }) => i);
}
