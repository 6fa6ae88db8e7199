/** The table at the end. */
import { duration } from "../../src/terminal/progress";
import { table } from "../../src/terminal/text_table";
import type { Row, Seen } from "./supervisor";

const HEAD = [
  ...["part", "cases", "refused", "right", "unclear", "stack", "hang", "silent"],
  ...["peak MiB", "time", ""],
];

const mib = (bytes: number) => (bytes === 0 ? "" : String(Math.round(bytes / 2 ** 20)));

function cells({ name, title, skipped, cases, counts, peakBytes, seconds }: Row): string[] {
  const { refused, right, unclear, stack, hang, silent } = counts;
  const numbers = [cases, refused, right, unclear, stack, hang, silent].map(String);
  const shown = skipped === undefined ? numbers : numbers.map(() => "–");
  const note = skipped === undefined ? title : `${title} (skipped: ${skipped})`;
  return [name, ...shown, mib(peakBytes), duration(seconds), note];
}

/** A line for each row; then one for each case of which there is something to say. */
export function tableLines(rows: readonly Row[]): string[] {
  const lines = (name: string, seen: readonly Seen[], said: (of: Seen) => string) =>
    seen.map((of) => `${name}: ${of.id}: ${said(of).trim().replace(/\n/g, "\n  ")}`);
  return [
    ...table([HEAD, ...rows.map(cells)], [0, 10]),
    ...rows.flatMap(({ name, notes }) => lines(name, notes, ({ text }) => text)),
    ...rows.flatMap(({ name, faults }) =>
      lines(name, faults, ({ end, text }) => `${end.toUpperCase()}: ${text}`),
    ),
  ];
}
