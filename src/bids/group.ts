/** The group level: a table over all pairs of sessions, and a page that links to their reports. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CohortPair } from "../cohort/pairs";
import type { CohortRow } from "../cohort/table";
import { writeAllAtomically } from "../platform/atomic_file";
import { escapeHtml } from "../result/escape_html";
import { pageHtml } from "../result/page";
import { pathsOf } from "./names";

const COLUMNS: readonly (readonly [
  name: string,
  description: string,
  of: (row: CohortRow) => unknown,
])[] = [
  ["status", "done, failed, or open: not done yet", ({ status }) => status],
  [
    "any_new_lesion",
    "yes, no, or unknown: none was found in visits that are not fit to be compared",
    ({ newLesion }) => newLesion,
  ],
  ["lesions", "number of new lesions in the mask", ({ lesions }) => lesions],
  ["volume_mm3", "their volume", ({ volumeMm3 }) => volumeMm3?.toFixed(1)],
  ["largest_mm3", "volume of the largest", ({ largestMm3 }) => largestMm3?.toFixed(1)],
  ["fit", "whether the visits are fit to be compared", ({ fit }) => fit && "yes"],
  ["problem", "why they are not, or why the pair failed", ({ problem }) => problem],
];

/** Writes `new_lesions.tsv`, its side-car and `new_lesions.html`; gives their paths. */
export function writeGroup(
  out: string,
  pairs: readonly CohortPair[],
  rows: readonly CohortRow[],
): string[] {
  const [tsv, json, html] = ["tsv", "json", "html"].map((end) => join(out, `new_lesions.${end}`));
  const known = new Map(rows.map((row) => [row.patient, row]));
  const all = pairs.flatMap(({ id, bids }) => {
    const row = known.get(id);
    return row && bids ? [{ ...bids, row }] : [];
  });
  const head = [
    "participant_id",
    "session_id",
    "session_id_before",
    ...COLUMNS.map(([name]) => name),
  ];
  const lines = all.map(({ subject, sessions, row }) => [
    ...[subject, sessions[1], sessions[0]],
    ...COLUMNS.map(([name, , of]) => plain(name === "fit" ? fitText(row) : of(row))),
  ]);
  const described = Object.fromEntries(
    COLUMNS.map(([name, Description]) => [name, { Description }]),
  );
  writeAllAtomically([
    { path: tsv!, data: [head, ...lines].map((line) => `${line.join("\t")}\n`).join("") },
    { path: json!, data: `${JSON.stringify(described, null, 2)}\n` },
    {
      path: html!,
      data: page(lines.map((line, i) => ({ line, report: reportOf(out, all[i]!) }))),
    },
  ]);
  return [tsv!, html!];
}

const fitText = ({ fit }: CohortRow) => (fit === undefined ? undefined : fit ? "yes" : "no");

const NONE = "n/a";

/** n/a is a cell without a value in BIDS; a table has no tabs and line breaks in its cells. */
const plain = (value: unknown): string =>
  value === undefined || value === "" ? NONE : String(value).replace(/\s+/g, " ");

function reportOf(out: string, pair: NonNullable<CohortPair["bids"]>): string | undefined {
  const { report } = pathsOf(pair, "t2"); // it has one name on every grid
  return existsSync(join(out, report)) ? report : undefined;
}

/** As the columns of the table, in words. */
const HEAD = [
  ...["participant", "session", "compared with", "", "any new lesion"],
  ...["lesions", "mm³", "largest, mm³", "fit to be compared", "problem"],
];
const isNumber = (column: number): boolean => column >= 5 && column <= 7;

interface PageRow {
  readonly line: readonly string[];
  readonly report: string | undefined;
}

function page(rows: readonly PageRow[]): string {
  const cells = ({ line, report }: PageRow) =>
    line.map((text, i) => {
      const shown = text === NONE ? "" : escapeHtml(text);
      const linked = i === 0 && report !== undefined;
      const cell = linked ? `<a href="${escapeHtml(encodeURI(report))}">${shown}</a>` : shown;
      return `<td${isNumber(i) ? ' class="n"' : ""}>${cell}</td>`;
    });
  const done = rows.filter(({ line }) => line[3] === "done").length;
  const found = rows.filter(({ line }) => line[4] === "yes").length;
  const body = `<h1>New lesions</h1>
<p>${done} of ${rows.length} pairs of sessions done, ${found} with new lesions.</p>
<table>
<tr>${HEAD.map((name, i) => `<th${isNumber(i) ? ' class="n"' : ""}>${name}</th>`).join("")}</tr>
${rows.map((row) => `<tr>${cells(row).join("")}</tr>`).join("\n")}
</table>
<footer>voxgrad is research software and not a medical device. Nothing on this page may be used for diagnosis.</footer>`;
  return pageHtml({
    title: "New lesions",
    css: "\nbody { max-width: none; }",
    pictures: false,
    body,
  });
}
