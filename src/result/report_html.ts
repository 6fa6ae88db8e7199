/** `report.html`: one file without scripts, which opens from disk and prints. */
import { answerSentence, certaintyText, countText, placeText, volumeText } from "./answer_text";
import { escapeHtml } from "./escape_html";
import { originTable } from "./origin_table";
import { pageHtml } from "./page";
import type { ResultLesion, ResultRecord, ResultVisit } from "./record";

/** Lesions with a picture: as many as two pages hold. */
export const MOST_PICTURES = 6;

const NO_DEVICE =
  "voxgrad is research software and not a medical device. Nothing on this page may be used for diagnosis; " +
  "a person who is qualified must look at the scans.";

/**
 * @param pictures PNG of each of the first lesions: three planes of both visits with its outline
 */
export function reportHtml(record: ResultRecord, pictures: readonly Uint8Array[]): string {
  const body = `${heading(record)}
${lesionTable(record)}
<h2>Comparison of the visits</h2>
<ul>${record.quality.lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("")}</ul>
${readingSection(record)}
${pictureSection(record, pictures)}
<h2>Origin</h2>
${origin(record)}
<footer>${NO_DEVICE}</footer>`;
  return pageHtml({ title: `${record.patient}: new lesions`, pictures: true, body });
}

function heading(record: ResultRecord): string {
  const { patient, visits, quality } = record;
  const doubt = quality.fit ? "" : " doubt";
  return `<header>
<h1>${escapeHtml(patient)}</h1>
<p class="who">${visits.map((visit, i) => `visit ${i + 1}: ${visitText(visit)}`).join("<br>")}</p>
</header>
<p class="answer${doubt}">${escapeHtml(answerSentence(record))}</p>`;
}

function visitText({ name, date, scanner }: ResultVisit): string {
  return [date ?? "date not known", scanner, name]
    .filter((part) => part !== undefined)
    .map(escapeHtml)
    .join(" · ");
}

function lesionTable({ kind, calibrated, lesions }: ResultRecord): string {
  if (lesions.length === 0) return "";
  const certainty = kind === "change" ? "peak z" : calibrated ? "probability" : "score";
  const row = (lesion: ResultLesion) =>
    `<tr><td class="n">${lesion.id}</td><td class="n">${volumeText(lesion.volumeMm3)}</td>` +
    `<td class="n">${escapeHtml(certaintyText(lesion))}</td><td>${escapeHtml(placeText(lesion))}</td></tr>`;
  const shown = lesions.slice(0, MOST_ROWS);
  const rest = lesions.length - shown.length;
  const more = rest > 0 ? `<p>and ${rest} smaller ones, in result.json and the CSV.</p>` : "";
  return `<table>
<thead><tr><th class="n">no.</th><th class="n">volume</th><th class="n">${certainty}</th><th>place, mm of the scanner</th></tr></thead>
<tbody>${shown.map(row).join("\n")}</tbody>
</table>${more}`;
}

function readingSection({ reading }: ResultRecord): string {
  if (!reading) return "";
  const { reader, finished, rejected, notes } = reading;
  const lines = [
    finished === null ? "not finished" : `finished ${finished}`,
    `reader: ${reader === "" ? "no initials given" : reader}`,
    `found by the program and rejected by the reader: ${rejected}`,
    ...notes.map(({ lesion, text }) => `note on lesion ${lesion} of the program’s list: ${text}`),
  ];
  return `<h2>Reading</h2>\n<ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("")}</ul>`;
}

/** More rows would push the pictures from the second page. */
const MOST_ROWS = 12;

function pictureSection({ lesions }: ResultRecord, pictures: readonly Uint8Array[]): string {
  if (pictures.length === 0) return "";
  const shown = lesions.slice(0, pictures.length);
  const figures = shown.map((lesion, i) => {
    const png = base64(pictures[i]!);
    const text = `lesion ${lesion.id} · ${volumeText(lesion.volumeMm3)} · ${placeText(lesion)}`;
    return (
      `<div class="lesion"><p>${escapeHtml(text)}</p>` +
      `<img alt="${escapeHtml(`lesion ${lesion.id} in three planes at both visits, outlined`)}" src="data:image/png;base64,${png}"></div>`
    );
  });
  const rest = lesions.length - shown.length;
  const more = rest > 0 ? `<p>${countText(rest)} more without pictures.</p>` : "";
  return `<h2>Pictures</h2>
<p>Radiological view: the patient’s right is on the left; 50 mm across.</p>
${figures.join("\n")}${more}`;
}

function origin({ weights, rule, grid, program, created }: ResultRecord): string {
  return originTable(weights, [
    ["thresholds", rule],
    ["grid of the mask", GRIDS[grid]],
    ["program", program],
    ["made", created],
  ]);
}

const GRIDS: Readonly<Record<ResultRecord["grid"], string>> = {
  t1: "that of visit 1",
  t2: "that of visit 2",
  middle: "between the visits",
};

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}
