/** The table at the end. */
import { duration } from "../../src/terminal/progress";
import { table } from "../../src/terminal/text_table";
import type { Row } from "./supervisor";

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

/** A line for each row; then one for each fault. */
export function tableLines(rows: readonly Row[]): string[] {
  const faults = rows.flatMap(({ name, faults: of }) =>
    of.map(({ id, end, text }) => `${name}: ${id}: ${end}: ${text.trim().replace(/\n/g, "\n  ")}`),
  );
  return [...table([HEAD, ...rows.map(cells)], [0, 10]), ...faults];
}
