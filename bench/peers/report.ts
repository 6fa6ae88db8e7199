/** The report of a run: on the terminal, as JSON, and in a document. */
import { readFile, writeFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { UserError } from "../../src/core/errors";
import { mergeReports } from "./merge";
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
export function replaceMeasured(text: string, measured: string, file: string): string {
  const [from, to] = MARKS.map((mark) => text.indexOf(mark)) as [number, number];
  if (from < 0 || to < from) {
    throw new UserError(`${file}: holds no ${MARKS.join(" … ")}; add both marks`);
  }
  return `${text.slice(0, from)}${MARKS[0]}\n\n${measured}\n\n${text.slice(to)}`;
}

interface Files {
  readonly json?: string;
  readonly merge?: string;
  readonly doc?: string;
}

/** Prints the report, with the rows that `merge` has from before, and writes it where they say. */
export async function writeReport(
  measured: Report,
  { json, merge, doc }: Files,
  before?: Report,
): Promise<void> {
  const report = before ? mergeReports(before, measured) : measured;
  const text = reportText(report);
  console.log(text);
  for (const file of [json, merge]) {
    if (!file) continue;
    const best = bestRows(report.rows);
    const rows = report.rows.map((row) => {
      const { peer, ours, work } = row;
      const speed = peer && ours ? { ...rates(work, peer.ms), ratio: peer.ms / ours.ms } : {};
      return { ...row, ...speed, best: best.has(row) };
    });
    await writeFile(file, `${JSON.stringify({ ...report, rows }, null, 1)}\n`);
  }
  if (doc) await writeFile(doc, replaceMeasured(await readFile(doc, "utf8"), text, doc));
}
