/** The two visits that a user names, each as `readScan` reads it. */
import { existsSync } from "node:fs";
import { UserError } from "../core/errors";
import { acquisitionText } from "./acquisition";
import { doubtsOf } from "./doubts";
import { readScan, type Scan } from "./read_scan";

/** For --help. */
export const SCAN_TEXT = "NIfTI, or a folder or .zip of DICOM";

export interface VisitsRequest {
  /** Numbers of series, where a FLAIR is not certain: one for both visits, or one for each. */
  readonly series?: readonly number[];
  readonly signal?: AbortSignal;
  /** Signs that the two are no two visits of one patient, in their order: told, or refused where nobody reads along. */
  readonly doubts?: "told" | "refused";
}

/**
 * @param note takes a line about each visit that was DICOM
 * @throws UserError as `readScan`, and for doubts that are refused
 */
export async function readVisits(
  paths: readonly [string, string],
  { series = [], signal, doubts = "told" }: VisitsRequest,
  note: (line: string) => void,
): Promise<[Scan, Scan]> {
  for (const path of paths) {
    if (!existsSync(path)) {
      throw new UserError(
        `${path}: no such file; give a NIfTI image, or a folder or .zip of DICOM`,
      );
    }
  }
  const [one, two] = paths;
  const [number1, number2 = number1] = series;
  const scans = await Promise.all([
    readScan(one, { series: number1, signal }),
    readScan(two, { series: number2, signal }),
  ]);
  scans.forEach(({ acquisition }, i) => {
    if (acquisition) note(`visit ${i + 1}: ${acquisitionText(acquisition)}`);
  });
  const found = doubtsOf(...scans);
  if (doubts === "refused" && found.length > 0) {
    throw new UserError(`${one}, ${two}: ${found.join("; ")}; then predict this pair by itself`);
  }
  for (const line of found) note(line);
  return scans;
}

/** Reads the option `--series N` or `--series N,M`. @throws UserError for anything else */
export function readSeries(text: string): number[] {
  const numbers = text.split(",").map((part) => Number(part.trim() || Number.NaN));
  if (numbers.length <= 2 && numbers.every((n) => Number.isInteger(n) && n >= 0)) return numbers;
  throw new UserError("expected the number of a series, or two for the two visits, as 5,7.");
}
