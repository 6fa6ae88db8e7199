/** The lesions of a result as CSV: one row each, for spreadsheets. */
import type { ResultRecord } from "./record";

const HEAD = [
  ...["patient", "lesion", "volume_mm3", "probability", "peak_z"],
  ...["right_mm", "anterior_mm", "superior_mm", "side"],
] as const;

/** A header row even where there is no lesion. */
export function lesionsCsv({ patient, lesions }: ResultRecord): string {
  const rows = lesions.map(({ id, volumeMm3, probability, peakZ, centreMm, side }) => [
    ...[patient, String(id), volumeMm3.toFixed(1)],
    ...[probability?.toFixed(4) ?? "", peakZ?.toFixed(2) ?? ""],
    ...centreMm.map((mm) => mm.toFixed(1)),
    side ?? "",
  ]);
  return csvText([HEAD, ...rows]);
}

/** A table as CSV. Lines end in CR LF (RFC 4180). */
export const csvText = (rows: readonly (readonly string[])[]): string =>
  rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");

/** Quoted where it must be. A name that a spreadsheet would compute gets an apostrophe before it. */
function cell(text: string): string {
  const inert = /^[=+@\t\r]|^-(?![\d.]+$)/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
