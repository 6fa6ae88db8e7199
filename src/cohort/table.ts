/** The table of a cohort: a row for each pair, as CSV and as JSON. */
import { writeAllAtomically } from "../platform/atomic_file";
import type { ResultRecord } from "../result/record";
import { csvText } from "../result/report_csv";
import type { CohortFolder, PairState } from "./folder";
import type { CohortPair } from "./pairs";

/** Names and meanings are a contract with scripts; it rises when one of them changes. */
export const TABLE_FORMAT = 1;

export interface CohortRow {
  readonly patient: string;
  /** "open": not done yet, by any process. */
  readonly status: PairState["status"];
  /** "network", or "change": a statistic, whose numbers are no lesions. */
  readonly kind?: ResultRecord["kind"];
  /**
   * "unknown": none was found, which does not mean that there is none: the visits are not fit to be
   * compared, or no network looked at them.
   */
  readonly newLesion?: "yes" | "no" | "unknown";
  /** Of the mask. */
  readonly lesions?: number;
  readonly volumeMm3?: number;
  readonly largestMm3?: number;
  /** Whether the visits are fit to be compared. */
  readonly fit?: boolean;
  /** Why they are not, or why the pair failed. */
  readonly problem?: string;
  /** When it was done, or failed: ISO 8601, UTC. */
  readonly time?: string;
  readonly t1: string;
  readonly t2: string;
}

const COLUMNS = {
  patient: "patient",
  status: "status",
  kind: "kind",
  newLesion: "any_new_lesion",
  lesions: "lesions",
  volumeMm3: "volume_mm3",
  largestMm3: "largest_mm3",
  fit: "fit",
  problem: "problem",
  time: "time",
  t1: "t1",
  t2: "t2",
} as const satisfies Record<keyof CohortRow, string>;

export function rowOf({ id, t1, t2 }: CohortPair, state: PairState): CohortRow {
  const row = { patient: id, status: state.status, t1, t2 };
  if (state.status === "open") return row;
  if (state.status === "failed") return { ...row, problem: state.problem, time: state.time };
  const { kind, newLesions, lesions, quality, created } = state.record;
  const volumes = lesions.map(({ volumeMm3 }) => volumeMm3);
  const told = kind === "network" && quality.fit;
  return {
    ...{ ...row, kind, time: created, fit: quality.fit },
    newLesion: kind === "network" && newLesions ? "yes" : told ? "no" : "unknown",
    lesions: lesions.length,
    volumeMm3: volumes.reduce((sum, volume) => sum + volume, 0),
    largestMm3: Math.max(0, ...volumes),
    problem: quality.fit ? undefined : quality.lines[0],
  };
}

export function tableCsv(rows: readonly CohortRow[]): string {
  const keys = Object.keys(COLUMNS) as (keyof CohortRow)[];
  const cell = (value: CohortRow[keyof CohortRow]) => {
    if (typeof value === "boolean") return value ? "yes" : "no";
    return typeof value === "number" ? String(Math.round(10 * value) / 10) : (value ?? "");
  };
  return csvText([Object.values(COLUMNS), ...rows.map((row) => keys.map((key) => cell(row[key])))]);
}

const tableJson = (rows: readonly CohortRow[]): string =>
  `${JSON.stringify({ format: TABLE_FORMAT, patients: rows }, null, 2)}\n`;

/** Keeps the table of a folder up to date, also where other processes work on it. */
export class CohortTable {
  /** A record does not change. */
  private readonly done = new Map<string, CohortRow>();

  /** @param paths of the CSV and of the JSON */
  constructor(
    private readonly folder: CohortFolder,
    private readonly pairs: readonly CohortPair[],
    private readonly paths: readonly [csv: string, json: string],
  ) {}

  rows(): CohortRow[] {
    return this.pairs.map((pair) => {
      const known = this.done.get(pair.id);
      if (known) return known;
      const row = rowOf(pair, this.folder.stateOf(pair.id));
      if (row.status === "done") this.done.set(pair.id, row);
      return row;
    });
  }

  /**
   * Writes until what was written is what is there: a process that read before another one was done may
   * write after it, and then the last rows would be missing.
   */
  write(): CohortRow[] {
    for (let rows = this.rows(); ; ) {
      const [csv, json] = this.paths;
      writeAllAtomically([
        { path: csv, data: tableCsv(rows) },
        { path: json, data: tableJson(rows) },
      ]);
      const now = this.rows();
      if (JSON.stringify(now) === JSON.stringify(rows)) return rows;
      rows = now;
    }
  }
}
