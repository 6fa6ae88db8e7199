/** The report of a run: on the terminal, as JSON, and in a document. */
import { mkdirSync, readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { dirname } from "node:path";
import { writeAtomically } from "../../src/platform/atomic_file";
import { replaceBetween } from "../../src/terminal/marked_part";
import { printResult } from "../../src/terminal/result";
import { bestRows, markdown, memoryMarkdown, notes, type Row, rates, reasons } from "./table";

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
}

export function machine(): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    system: `${platform()} ${arch()}`,
  };
}

export interface Report extends Machine {
  readonly versions: readonly string[];
  readonly rows: readonly Row[];
}

const MARKS = ["<!-- measured -->", "<!-- /measured -->"] as const;

/** The report as Markdown. */
export function reportText(report: Report): string {
  const { date, cpu, cores, system, versions, rows } = report;
  const dates = [...new Set(rows.map((row) => row.date ?? date))].sort();
  const memory = memoryMarkdown(rows);
  const list = (items: readonly string[]) => items.map((item) => `- ${item}`).join("\n");
  const [said, missing] = [notes(rows), reasons(rows)];
  return [
    `Measured ${dates.length > 1 ? `from ${dates[0]} to ${dates.at(-1)}` : `on ${date}`}, ${cpu}, ${cores} cores, ${system}:`,
    list(versions),
    markdown(rows),
    ...(missing.length > 0 ? ["Rows without times:", list(missing)] : []),
    ...(said.length > 0 ? ["What was replaced:", list(said)] : []),
    ...(memory ? ["Memory of one run:", memory] : []),
  ].join("\n\n");
}

/** `text` with what lies between the marks replaced. @throws UserError without marks */
export const replaceMeasured = (text: string, measured: string, file: string): string =>
  replaceBetween(text, MARKS, measured, file);

/** The report as JSON, each row with its rates and whether it counts as its engine's best. */
export function writeJson(report: Report, file: string): void {
  const best = bestRows(report.rows);
  const rows = report.rows.map((row) => {
    const { peer, ours, work } = row;
    const speed = peer && ours ? { ...rates(work, peer.ms), ratio: peer.ms / ours.ms } : {};
    return { ...row, ...speed, best: best.has(row) };
  });
  mkdirSync(dirname(file), { recursive: true });
  writeAtomically(file, `${JSON.stringify({ ...report, rows }, null, 1)}\n`);
}

/** Prints the report, and writes it where `json` and `doc` say. */
export function writeReport(
  report: Report,
  { json, doc }: { readonly json?: string; readonly doc?: string },
): void {
  const text = reportText(report);
  printResult(text);
  if (json) writeJson(report, json);
  if (doc) writeAtomically(doc, replaceMeasured(readFileSync(doc, "utf8"), text, doc));
}
