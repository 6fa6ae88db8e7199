/** The page's only way to patients: where results come from and where decisions go. */
import type { Mask, Volume } from "../../data/volume";
import type { Decisions, ReadingState } from "../../result/decisions";
import type { Result } from "../../result/parts";

/** A line of the worklist. */
export interface PatientEntry {
  readonly id: string;
  readonly patient: string;
  /** In a sentence; of an unusable result the reason. */
  readonly answer: string;
  readonly state: ReadingState | "unusable";
}

/** A result with its images, all on one grid, as they lie in their files. */
export interface OpenedResult extends Result {
  /** The scans alone, before anything was looked for: this line stands in place of an answer. */
  readonly preview?: string;
  /** Of an earlier reading. */
  readonly corrected?: Mask;
  readonly decisions?: Decisions;
}

/** A result as the viewer takes it: the maps come when they are first shown. */
export interface ShownResult extends Omit<OpenedResult, "probability" | "change"> {
  readonly probability?: () => Promise<Volume>;
  readonly change?: () => Promise<Volume>;
}

/** A result that lies in memory as a whole. */
export function shownResult({ probability, change, ...rest }: OpenedResult): ShownResult {
  return {
    ...rest,
    probability: probability && (async () => probability),
    change: change && (async () => change),
  };
}

export interface Source {
  /** Said of a change that `save` has taken; "saved" if absent. */
  readonly saved?: string;
  /** Said at the end of a reading; that the page can be closed if absent. */
  readonly finished?: string;
  /** Address of a patient's report, as the decisions stand; absent where there is none. */
  reportAddress?(id: string): string;
  list(): Promise<readonly PatientEntry[]>;
  open(id: string): Promise<ShownResult>;
  /** @param corrected on the grid of the result's mask */
  save(id: string, decisions: Decisions, corrected: Mask): Promise<void>;
}
