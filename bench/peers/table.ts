/** The report of a run: rows, which of them count as a peer's best, and their Markdown. */
import { type Outcome, timing } from "./measure";
import { countedPatches, operations, type Work, workName } from "./works";

export interface Row extends Outcome {
  readonly work: Work;
  /** The peer, by its name in the registry and by its title. */
  readonly engine: string;
  readonly title: string;
  readonly variant: string;
  readonly reduced: boolean;
  /** When it was measured, where rows of several runs were put together (merge.ts). */
  readonly date?: string;
  /** Device memory that voxgrad has for this work, bytes. */
  readonly ourBytes?: number;
}

/** Rates of a work that takes `ms`. */
export function rates(work: Work, ms: number): { gflops: number; patchesPerSecond: number } {
  return {
    gflops: operations(work) / ms / 1e6,
    patchesPerSecond: (1000 * countedPatches(work)) / ms,
  };
}

/** The fastest row of each peer, work and class of arithmetic: the one that counts. */
export function bestRows(rows: readonly Row[]): ReadonlySet<Row> {
  const best = new Map<string, Row>();
  for (const row of rows) {
    if (!row.peer) continue;
    const key = `${workName(row.work)} ${row.engine} ${row.reduced}`;
    const rival = best.get(key)?.peer;
    if (!rival || row.peer.ms < rival.ms) best.set(key, row);
  }
  return new Set(best.values());
}

const HEADER = [
  "work",
  "engine",
  "ms",
  "GFLOP/s",
  "patches/s",
  "voxgrad ms, same turns",
  "voxgrad’s speed ÷ its",
  "deviation",
];

/** Three digits that count. */
export function short(value: number): string {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

function timeCell({ ms, spread }: { ms: number; spread: number }): string {
  return `${short(ms)} ± ${short(spread)}`;
}

function rateCells(work: Work, ms: number): string[] {
  const { gflops, patchesPerSecond } = rates(work, ms);
  return [short(gflops), short(patchesPerSecond)];
}

function labelOf({ title, variant }: Row): string {
  return variant === "default" ? title : `${title}: ${variant}`;
}

function cellsOf(row: Row, isBest: boolean): string[] {
  const label = labelOf(row);
  const engine = isBest ? `**${label}**` : label;
  const { peer, ours, comparison, work } = row;
  if (!peer || !ours) return ["", engine, row.status, "", "", "", "", ""];
  const ratio = short(peer.ms / ours.ms);
  const off = comparison!.deviation.toExponential(0);
  return ["", engine, timeCell(peer), ...rateCells(work, peer.ms), timeCell(ours), ratio, off];
}

/** voxgrad's own row: the median of its medians in the turns with each peer, and how they differ. */
function ownCells(rows: readonly Row[]): string[] {
  const [first] = rows;
  const medians = rows.flatMap(({ ours }) => (ours ? [ours.ms] : []));
  if (medians.length === 0) return [workName(first!.work), "voxgrad", "", "", "", "", "", ""];
  const own = timing(medians);
  return [
    workName(first!.work),
    "voxgrad",
    timeCell(own),
    ...rateCells(first!.work, own.ms),
    "",
    "",
    "",
  ];
}

/** A Markdown table of all rows, work by work. */
export function markdown(rows: readonly Row[]): string {
  const best = bestRows(rows);
  const byWork = Map.groupBy(rows, (row) => workName(row.work));
  const lines = [...byWork.values()].flatMap((group) => [
    ownCells(group),
    ...group.map((row) => cellsOf(row, best.has(row))),
  ]);
  const dates = new Set(rows.map(({ date }) => date));
  if (dates.size < 2) return layOut([HEADER, ...lines]);
  const dateCells = [...byWork.values()].flatMap((group) => [
    "",
    ...group.map((r) => r.date ?? ""),
  ]);
  return layOut([[...HEADER, "date"], ...lines.map((cells, i) => [...cells, dateCells[i]!])]);
}

/** Replacements that engines made, each said once. */
export function notes(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap(({ title, note }) => (note ? [`${title}: ${note}`] : [])))];
}

/** Why some rows have no times: an engine, its reason, and the works that this befell. */
export function reasons(rows: readonly Row[]): string[] {
  const without = rows.filter(({ reason }) => reason);
  const groups = Map.groupBy(without, (row) => `${labelOf(row)}: ${row.status}: ${row.reason}`);
  return [...groups].map(
    ([what, befallen]) => `${what} (${befallen.map(({ work }) => workName(work)).join(", ")})`,
  );
}

const MIB = 2 ** 20;

/** Memory of voxgrad and of the peers that told theirs. */
export function memoryMarkdown(rows: readonly Row[]): string {
  const mib = (bytes: number | undefined) => (bytes === undefined ? "" : short(bytes / MIB));
  const lines = rows.flatMap(({ work, title, variant, memory, ourBytes }) => {
    const { peak, parts } = memory ?? {};
    const list = Object.entries(parts ?? {});
    const needed = parts && list.reduce((sum, [, bytes]) => sum + bytes, 0);
    const basis = needed ?? peak; // where there is a GPU, its allocator's count
    if (!basis || !ourBytes) return [];
    const named = list.map(([name, bytes]) => `${name} ${mib(bytes)}`).join(", ");
    const engine = `${title}: ${variant}`;
    const share = short(ourBytes / basis);
    return [[workName(work), engine, mib(needed), named, mib(peak), mib(ourBytes), share]];
  });
  if (lines.length === 0) return "";
  const header = ["work", "engine", "needed, MiB", "of which", "peak, MiB", "voxgrad, MiB"];
  return layOut([[...header, "voxgrad ÷ engine"], ...lines]);
}

/** Rows of cells as a Markdown table, the first row its head, columns padded. */
export function layOut(table: readonly (readonly string[])[]): string {
  const [head, ...body] = table as [readonly string[], ...string[][]];
  const widths = head.map((_, i) => Math.max(3, ...table.map((cells) => cells[i]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(head), line(widths.map((n) => "-".repeat(n))), ...body.map(line)].join("\n");
}
