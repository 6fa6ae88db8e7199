/** Rows of equally many cells as lines, cells to the right but for the columns in `left`. */
export function table(
  rows: readonly (readonly string[])[],
  left: readonly number[] = [],
): string[] {
  const width = rows[0]!.map((_, c) => Math.max(...rows.map((row) => row[c]!.length)));
  const pad = (cell: string, c: number) =>
    left.includes(c) ? cell.padEnd(width[c]!) : cell.padStart(width[c]!);
  return rows.map((row) => row.map(pad).join("  ").trimEnd());
}
