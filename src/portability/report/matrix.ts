/** The report on a terminal. */
import { type Cell, countsOf, isFailure, type Row, rowsOf } from "./cells";
import { type Column, columnName, type Report } from "./schema";

const CELL = 8;

/** Errors in units of their bounds: `0.43`, `1e+6`. */
export function showWorst(worst: number): string {
  if (worst === 0) return "0";
  if (worst < 0.01) return "<0.01";
  return worst < 1000 ? worst.toPrecision(2) : worst.toExponential(0);
}

function cellText(cell: Cell): string {
  switch (cell.status) {
    case "passed":
      return cell.text && cell.worst === 0 ? "ok" : showWorst(cell.worst ?? 0);
    case "failed":
      return "FAILED";
    case "skipped":
      return "skipped";
    case "absent":
      return "";
    default:
      return cell.status satisfies never;
  }
}

/**
 * The whole report: columns, matrix, facts, failures, what was skipped, the summary.
 * @param more a part before the summary
 */
export function matrixLines(report: Report, more: readonly string[] = []): string[] {
  const rows = rowsOf(report);
  const names = report.columns.map((c, i) => {
    const isAmbiguous = report.columns.some((o) => o !== c && columnName(o) === columnName(c));
    const driver = isAmbiguous ? `  (${c.adapter.driver})` : "";
    return `  ${i + 1}  ${columnName(c)}${driver}${c.complete ? "" : "  (incomplete)"}`;
  });
  return [
    "Largest error in units of its bound (below 1 is right), and the case that made it",
    ...names,
    ...table(rows, report.columns),
    ...facts(rows, report.columns),
    ...failures(report.columns),
    ...beside(report.columns),
    ...skips(report),
    ...more,
    summaryLine(report),
  ];
}

function table(all: readonly Row[], columns: readonly Column[]): string[] {
  const rows = all.filter(({ group }) => group !== "Facts");
  const width = Math.max(0, ...rows.map(({ row }) => row.length));
  const head = columns.map((_, i) => `${i + 1}`.padStart(CELL)).join("");
  const lines: string[] = [];
  let group = "";
  for (const row of rows) {
    if (row.group !== group) lines.push("", row.group.padEnd(width) + head);
    group = row.group;
    const cells = row.cells.map((cell) => cellText(cell).padStart(CELL)).join("");
    lines.push(`${row.row.padEnd(width)}${cells}  ${worstCase(row)}`.trimEnd());
  }
  return lines;
}

/** The case of the largest error of any column, without its row. */
function worstCase({ row, cells }: Row): string {
  const size = (c: Cell) => c.worst ?? (c.status === "failed" ? Number.POSITIVE_INFINITY : 0);
  const worst = cells.reduce((a, b) => (size(b) > size(a) ? b : a));
  return size(worst) > 0 ? (worst.worstCase ?? "").slice(row.length + 1) : "";
}

function facts(rows: readonly Row[], columns: readonly Column[]): string[] {
  const lines = rows
    .filter(({ group }) => group === "Facts")
    .flatMap(({ row, cells }) => {
      const texts = Map.groupBy(columns.keys(), (i) => cells[i]!.text ?? "");
      const told = [...texts].filter(([text]) => text !== "");
      return [
        `  ${row}`,
        ...told.map(([text, at]) => `    ${at.map((i) => i + 1).join(",")}: ${text}`),
      ];
    });
  return lines.length > 0 ? ["", "Facts", ...lines] : [];
}

function failures(columns: readonly Column[]): string[] {
  const lines = columns.flatMap((column, i) =>
    column.results.filter(isFailure).map(({ id, status, faults, alone }) => {
      const again = alone && alone !== status ? ` (again: ${alone})` : "";
      return `  ${i + 1}  ${id} ${status}${again}: ${faults?.[0] ?? ""}`;
    }),
  );
  return lines.length > 0 ? ["", "Failures", ...lines] : [];
}

/** Cases that ended a worker beside others, and are right by themselves. */
function beside(columns: readonly Column[]): string[] {
  const lines = columns.flatMap((column, i) =>
    column.results
      .filter((result) => result.beside && !isFailure(result))
      .map((result) => `  ${i + 1}  ${result.id} ${result.beside}`),
  );
  return lines.length > 0 ? ["", "Ended a worker beside others, right alone", ...lines] : [];
}

function skips({ columns, missing }: Report): string[] {
  const lines = columns.flatMap((column, i) => {
    const cases = column.results.flatMap(({ id, reason = "" }) =>
      reason ? [{ row: id, reason }] : [],
    );
    const reasons = Map.groupBy([...column.skipped, ...cases], ({ reason }) => reason);
    return [...reasons].map(([reason, rows]) => {
      const few = rows.slice(0, 3).map(({ row }) => row);
      const more = rows.length > 3 ? ` and ${rows.length - 3} more` : "";
      return `  ${i + 1}  ${few.join(", ")}${more}: ${reason}`;
    });
  });
  lines.push(...missing.map(({ implementation, reason }) => `  ${implementation}: ${reason}`));
  return lines.length > 0 ? ["", "Not run", ...lines] : [];
}

/** `N passed, N failed, N skipped`: the last line, for machines too. */
export function summaryLine(report: Pick<Report, "columns" | "missing">): string {
  const { passed, failed, skipped } = countsOf(report);
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
