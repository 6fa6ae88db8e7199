/** Writes tables between the markers of docs/measurements/performance.md, and pictures beside it. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeAtomically } from "../../src/platform/atomic_file";
import { replaceBetween } from "../../src/terminal/marked_part";
import { drawRoofline, drawScaling, machineOf } from "./pictures";
import type { Report } from "./schema";
import { PARTS } from "./tables";

type Part = keyof typeof PARTS;

/** Replaces what lies between `<!-- bench: part -->` and `<!-- end: part -->`. */
export function replacePart(text: string, part: string, content: string): string {
  const marks = [`<!-- bench: ${part} -->`, `<!-- end: ${part} -->`] as const;
  return replaceBetween(text, marks, content, "docs/measurements/performance.md");
}

function provenance(report: Report): string {
  const versions = Object.entries(report.versions).map(([name, version]) => `${name} ${version}`);
  const settings = Object.entries(report.settings).map(([name, value]) => `${name} ${value}`);
  return `*${[machineOf(report), report.adapter.driver, ...versions, ...settings].join(", ")}.*`;
}

/** The adapter that the page is about; tables of others are beside, in markers with their kind. */
const MAIN = "lavapipe";

/**
 * Parts that were not measured stay as they are, and so do all of which the page has no markers for
 * this kind of adapter.
 * @returns the markers that were looked for and are not there
 */
export function writeDocs(report: Report, file: string): string[] {
  let text = readFileSync(file, "utf8");
  const { kind } = report.adapter;
  const missing: string[] = [];
  const measured = (part: Part) => part === "ceilings" || report[part].length > 0;
  for (const part of Object.keys(PARTS) as Part[]) {
    if (!measured(part)) continue;
    const marker = kind === MAIN ? part : `${part} ${kind}`;
    if (text.includes(`<!-- bench: ${marker} -->`)) {
      text = replacePart(text, marker, `${provenance(report)}\n\n${PARTS[part](report)}`);
    } else missing.push(marker);
  }
  writeAtomically(file, text);
  const beside = (name: string) => join(dirname(file), name);
  if (kind === MAIN && report.kernels.length > 0) drawRoofline(report, beside("roofline.png"));
  if (kind === MAIN && report.scaling.length > 0) drawScaling(report, beside("scaling.png"));
  return missing;
}
