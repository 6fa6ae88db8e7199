/** Tells the changes between two reports: of two drivers, two versions, two machines. */
import { isFailure } from "./cells";
import { showWorst } from "./matrix";
import { type Column, columnName, type Report, type Result } from "./schema";

/** An error that grew or shrank by this factor is told, where it is not small in both. */
const FACTOR = 2;
const SMALL = 0.1;

/** Lines that say what changed; columns are compared by implementation and kind of adapter. */
export function comparisonLines(before: Report, after: Report): string[] {
  const lines: string[] = [];
  const rest = [...after.columns];
  for (const column of before.columns) {
    const at = partner(column, rest);
    if (at < 0) {
      lines.push(`${columnName(column)}: only in the first report`);
      continue;
    }
    const [other] = rest.splice(at, 1);
    lines.push(...columnChanges(column, other!));
  }
  lines.push(...rest.map((column) => `${columnName(column)}: only in the second report`));
  return lines;
}

function partner({ implementation, adapter }: Column, columns: readonly Column[]): number {
  const alike = columns.map((c) => c.implementation === implementation);
  const named = (c: Column, i: number) => alike[i] && c.adapter.name === adapter.name;
  const exact = columns.findIndex((c, i) => named(c, i) && c.adapter.driver === adapter.driver);
  if (exact >= 0) return exact;
  const same = columns.findIndex(named);
  if (same >= 0) return same;
  return columns.findIndex((c, i) => alike[i] && c.adapter.kind === adapter.kind);
}

function columnChanges(before: Column, after: Column): string[] {
  const lines = environmentChanges(before, after);
  const now = new Map(after.results.map((result) => [result.id, result]));
  let [same, onlyBefore] = [0, 0];
  for (const was of before.results) {
    const is = now.get(was.id);
    now.delete(was.id);
    if (!is) onlyBefore++;
    else {
      const change = resultChange(was, is);
      if (change) lines.push(`  ${was.id}: ${change}`);
      else same++;
    }
  }
  const counts = `${same} cases alike, ${onlyBefore} only before, ${now.size} only after`;
  return [`${columnName(before)} → ${columnName(after)}: ${counts}`, ...lines];
}

function resultChange(was: Result, is: Result): string | undefined {
  if (was.status !== is.status) {
    const why = isFailure(is) ? `: ${is.faults?.[0] ?? ""}` : "";
    return `${was.status} → ${is.status}${why}`;
  }
  if (was.note !== is.note) return `"${was.note ?? ""}" → "${is.note ?? ""}"`;
  const [a, b] = [was.worst ?? 0, is.worst ?? 0];
  const apart = Math.max(a, b) > SMALL && Math.max(a, b) > FACTOR * Math.min(a, b);
  return apart ? `error ${showWorst(a)} → ${showWorst(b)} of its bound` : undefined;
}

function environmentChanges({ adapter: a }: Column, { adapter: b }: Column): string[] {
  const lines: string[] = [];
  const told = (what: string, was: unknown, is: unknown) => {
    if (was !== is) lines.push(`  ${what}: ${was ?? "absent"} → ${is ?? "absent"}`);
  };
  told("driver", a.driver, b.driver);
  for (const name of new Set([...Object.keys(a.versions), ...Object.keys(b.versions)])) {
    told(name, a.versions[name], b.versions[name]);
  }
  for (const name of new Set([...Object.keys(a.limits), ...Object.keys(b.limits)])) {
    told(name, a.limits[name], b.limits[name]);
  }
  for (const name of a.features)
    if (!b.features.includes(name)) told(`feature ${name}`, "there", "gone");
  for (const name of b.features)
    if (!a.features.includes(name)) told(`feature ${name}`, "absent", "there");
  return lines;
}
