/** Turns results into the report's cells: one for each row and column. */
import { type Column, type Report, type Result, rowOf } from "./schema";

export interface Cell {
  readonly status: "passed" | "failed" | "skipped" | "absent";
  readonly passed: number;
  readonly failed: number;
  /** The largest error in units of its bound; undefined: none, or infinite where it failed. */
  readonly worst?: number;
  /** The case of that error, or of the first failure. */
  readonly worstCase?: string;
  /** Why it was skipped, or what a fact says. */
  readonly text?: string;
}

export interface Row {
  readonly row: string;
  readonly group: string;
  readonly cells: readonly Cell[];
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Cases and rows that were not run. */
  readonly skipped: number;
}

const GROUPS: readonly (readonly [RegExp, string])[] = [
  [/^facts\./, "Facts"],
  [/^limits\./, "Limits"],
  [/^load\./, "Load"],
  [/^network/, "Network"],
  [/_d[a-z]+(\.\w+)?\/|\.backward/, "Gradients"],
  [/./, "Kernels"],
];
const ORDER = ["Kernels", "Gradients", "Network", "Limits", "Load", "Facts"];

export const groupOf = (row: string): string =>
  GROUPS.find(([pattern]) => pattern.test(`${row}/`))![1];

export const isFailure = ({ status }: Pick<Result, "status">): boolean =>
  status !== "passed" && status !== "skipped";

/** Every row that any column has, by group, in the order in which they came. */
export function rowsOf({ columns }: Pick<Report, "columns">): Row[] {
  const names = new Set<string>();
  for (const { results, skipped } of columns) {
    for (const { id } of results) names.add(rowOf(id));
    for (const { row } of skipped) names.add(row);
  }
  const byColumn = columns.map((column) => ({ column, results: byRow(column) }));
  const rows = [...names].map((row) => ({
    row,
    group: groupOf(row),
    cells: byColumn.map(({ column, results }) => cellOf(row, column, results.get(row) ?? [])),
  }));
  const rank = ({ group, row }: Row) => `${ORDER.indexOf(group)} ${row}`;
  return rows.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

function byRow({ results }: Column): Map<string, Result[]> {
  const rows = new Map<string, Result[]>();
  for (const result of results) {
    const row = rowOf(result.id);
    rows.set(row, [...(rows.get(row) ?? []), result]);
  }
  return rows;
}

function cellOf(row: string, { skipped }: Column, results: readonly Result[]): Cell {
  const ran = results.filter(({ status }) => status !== "skipped");
  if (ran.length === 0) {
    const text = skipped.find((s) => s.row === row)?.reason ?? results[0]?.reason;
    return { status: text ? "skipped" : "absent", passed: 0, failed: 0, text };
  }
  const failures = ran.filter(isFailure);
  const passed = ran.length - failures.length;
  const size = (r: Result) => r.worst ?? (isFailure(r) ? Number.POSITIVE_INFINITY : 0);
  const worst = (failures.length > 0 ? failures : ran).reduce((a, b) =>
    size(b) > size(a) ? b : a,
  );
  const text = ran.flatMap(({ note, faults }) => note ?? faults ?? [])[0];
  return {
    status: failures.length > 0 ? "failed" : "passed",
    ...{ passed, failed: failures.length, worst: worst.worst, worstCase: worst.id, text },
  };
}

export function countsOf({ columns, missing }: Pick<Report, "columns" | "missing">): Counts {
  let [passed, failed, skipped] = [0, 0, missing.length];
  for (const column of columns) {
    for (const result of column.results) {
      if (isFailure(result)) failed++;
      else if (result.status === "skipped") skipped++;
      else passed++;
    }
    skipped += column.skipped.length;
  }
  return { passed, failed, skipped };
}
