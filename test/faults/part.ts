/** The words of the suite of faults: a part is a row of its table, a case is one try of it. */

/**
 * How a case ended.
 * - `refused`: in one line that says what is wrong and where, exit code 2
 * - `right`: used or survived, with the right result; where something was decided by rule, a note says so
 * - `unclear`: refused, but the line does not say what it should
 * - `stack`: a stack trace, a crash, another exit code
 * - `hang`: no end within its time, or more memory than any case may take
 * - `silent`: taken without a word, or a wrong result
 */
export const ENDS = ["refused", "right", "unclear", "stack", "hang", "silent"] as const;
export type End = (typeof ENDS)[number];

/** Ends that are no fault. */
export const GOOD: readonly End[] = ["refused", "right"];

export interface Tried {
  readonly end: End;
  /** What was seen. */
  readonly text?: string;
  /** Peak memory of the processes that the case started. */
  readonly bytes?: number;
}

export interface Case {
  /** Unique in its part. */
  readonly id: string;
  run(): Promise<Tried> | Tried;
}

/** The circumstances of a run of the suite. */
export interface Context {
  /** An empty folder for the part. */
  readonly folder: string;
  /** Of all random choices. */
  readonly seed: number;
  /** A few cases of each kind: for CI. */
  readonly short: boolean;
}

export interface Part {
  /** For `--only`, and the name in the table. */
  readonly name: string;
  /** One line for the table. */
  readonly title: string;
  /** Seconds that the slowest case may take on a loaded machine before it counts as hanging. */
  readonly seconds: number;
  /** Left out of the short form. */
  readonly longOnly?: boolean;
  /** The thing that this machine lacks for it; undefined where there is all. */
  missing?(): string | undefined;
  /** The same cases, in the same order, for the same circumstances. */
  cases(context: Context): Promise<readonly Case[]> | readonly Case[];
}

/** Of 0 … count − 1, all, or in the short form `few` that lie evenly among them. */
export function thinned<T>(all: readonly T[], short: boolean, few: number): readonly T[] {
  if (!short || all.length <= few) return all;
  return Array.from({ length: few }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / few)]!);
}
