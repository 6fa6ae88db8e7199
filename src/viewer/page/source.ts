/** The page's only way to patients: where results come from and where decisions go. */
import type { Mask, Volume } from "../../data/volume";
import type { Decisions, ReadingState } from "../../result/decisions";
import type { ResultRecord } from "../../result/record";

/** A line of the worklist. */
export interface PatientEntry {
  readonly id: string;
  readonly patient: string;
  /** In a sentence; of an unusable result the reason. */
  readonly answer: string;
  readonly state: ReadingState | "unusable";
}

/** A result with its images, all on one grid, as they lie in their files. */
export interface OpenedResult {
  readonly record: ResultRecord;
  readonly visit1: Volume;
  readonly visit2: Volume;
  readonly mask: Mask;
  readonly probability?: Volume;
  readonly change?: Volume;
  /** Of an earlier reading. */
  readonly corrected?: Mask;
  readonly decisions?: Decisions;
}

export interface Source {
  /** Address of a patient's report, as the decisions stand; absent where there is none. */
  reportAddress?(id: string): string;
  list(): Promise<readonly PatientEntry[]>;
  open(id: string): Promise<OpenedResult>;
  /** @param corrected on the grid of the result's mask */
  save(id: string, decisions: Decisions, corrected: Mask): Promise<void>;
}
