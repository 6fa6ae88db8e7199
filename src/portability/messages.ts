/** The messages between the suite and a worker, in JSON: one reply to each request, in order. */
import type { Capabilities } from "../core/kernel";
import type { Outcome, SkippedRow } from "./case";
import type { Mutant } from "./mutants/defect";
import type { Dissection, Packed } from "./packed";

export type Request =
  | {
      readonly do: "list";
      readonly seed: number;
      readonly short: boolean;
      /** Ids, see matchesId; empty: all. */
      readonly patterns: readonly string[];
      /** Only cases that launch this kernel. */
      readonly kernel?: string;
    }
  | { readonly do: "run"; readonly id: string; readonly mutant?: Mutant }
  /**
   * Runs the case dispatch by dispatch, and keeps what each read and wrote. With the sizes of work that an
   * adapter of the kind is given; absent: this one's.
   */
  | {
      readonly do: "dissect";
      readonly id: string;
      readonly kind?: Capabilities["kind"];
      readonly mutant?: Mutant;
    }
  /** Runs what a dissection found, from the same words. */
  | { readonly do: "replay"; readonly packed: Packed };

export interface ListedCase {
  readonly id: string;
  readonly row: string;
  /** Seconds more than usual that it may take. */
  readonly patience: number;
  /** The problem that cases share: a worker that knows it is quicker. */
  readonly problem: string;
  /** Whether it is made of dispatches that a reproduction can hold. */
  readonly apart: boolean;
}

export type Reply =
  | { readonly listed: readonly ListedCase[]; readonly skipped: readonly SkippedRow[] }
  | { readonly outcome: Outcome; readonly seconds: number }
  | { readonly dissection: Dissection }
  | { readonly words: readonly string[] }
  /** What was thrown: the adapter refused something. */
  | { readonly error: string }
  /** The device is gone: the worker must be started anew. */
  | { readonly lost: string };
