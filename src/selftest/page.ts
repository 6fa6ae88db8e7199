/** `selftest.html`: one file without scripts, which opens from disk and prints. */
import { escapeHtml } from "../result/escape_html";
import { originTable } from "../result/origin_table";
import { pageHtml } from "../result/page";
import { curveSvg } from "./curve";
import type { Called, SelftestRecord, SizeResult } from "./record";

/** A planted lesion, as it is shown. */
export interface PagePicture {
  readonly sizeMm: number;
  readonly found: boolean;
  /** PNG in base 64: three planes, without the lesion and with it. */
  readonly png: string;
}

const CSS = `
.answer.good { border-left: 1.2mm solid #17734a; padding-left: 3mm; }
.answer.care { border-left: 1.2mm solid #a56400; padding-left: 3mm; }
.answer.bad { border-left: 1.2mm solid #b3261e; padding-left: 3mm; color: #8c1d18; }
svg { display: block; width: 100%; max-width: 150mm; height: auto; }
`;

const NO_DEVICE =
  "voxgrad is research software and not a medical device. This page says how well it finds planted " +
  "lesions on one pair of scans; real ones may be fainter, of other shapes and in other places.";

export function selftestHtml(record: SelftestRecord, pictures: readonly PagePicture[]): string {
  const { verdict, visits, quality } = record;
  const list = (lines: readonly string[]) =>
    `<ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("")}</ul>`;
  const body = `<header>
<h1>Self-test on your scans</h1>
<p class="who">visit 1: ${escapeHtml(visits[0])}<br>visit 2: ${escapeHtml(visits[1])}<br>${escapeHtml(methodText(record))}</p>
</header>
<p class="answer ${verdict.grade}">${escapeHtml(verdict.headline)}</p>
${list(verdict.lines)}
<h2>Planted lesions that are found, by size</h2>
${curveSvg(record.sizes)}
${sizeTable(record.sizes)}
<p>${escapeHtml(plantedText(record))}</p>
<h2>Pairs of which the answer is known</h2>
${checkTable(record)}
${pictureSection(pictures)}
<h2>Comparison of the visits</h2>
${list(quality.lines)}
<h2>Origin</h2>
${origin(record)}
<footer>${NO_DEVICE}</footer>`;
  return pageHtml({ title: `Self-test: ${visits[1]}`, css: CSS, pictures: true, body });
}

export function methodText({ detector }: SelftestRecord): string {
  if (detector.kind === "change") return "without a network: the statistic of change";
  return `with the network of ${detector.weights.map(({ name }) => name).join(", ")}`;
}

/** "78 – 97 %". */
export const intervalText = (interval: SizeResult["interval"]): string =>
  interval === null
    ? "–"
    : interval
        .map((share) => Math.round(100 * share))
        .join(" – ")
        .concat(" %");

function sizeTable(sizes: readonly SizeResult[]): string {
  const row = ({ sizeMm, meanMm3, found, of, interval }: SizeResult) =>
    `<tr><td class="n">${sizeMm} mm</td><td class="n">${meanMm3 === null ? "–" : `${meanMm3.toFixed(0)} mm³`}</td>` +
    `<td class="n">${of === 0 ? "fitted nowhere" : `${found} of ${of}`}</td><td>${intervalText(interval)}</td></tr>`;
  return `<table>
<thead><tr><th class="n">diameter</th><th class="n">volume</th><th class="n">found</th><th>95 % interval (Wilson)</th></tr></thead>
<tbody>${sizes.map(row).join("\n")}</tbody>
</table>`;
}

export const plantedText = ({ contrast, falseLesions, scans }: SelftestRecord): string =>
  `Soft ellipsoids in white matter of visit 2, ${Math.round(100 * contrast)} % above it (of white matter above air), with ` +
  `the scan's own noise and slices. Beside them ${falseLesions} further ` +
  `${falseLesions === 1 ? "lesion was" : "lesions were"} called new in ${scans} planted scans.`;

export const calledText = ({ lesions, mm3 }: Called): string =>
  lesions === 0 ? "nothing" : `${lesions} (${mm3.toFixed(0)} mm³)`;

/** Rows of the table of checks: the pair, what is called new, and what should be. */
export function checkRows({ checks }: SelftestRecord): readonly (readonly string[])[] {
  const { asGiven, swapped, twice, moved, plantedBefore } = checks;
  const { calledNew, of } = plantedBefore;
  return [
    ["visit 2 twice", calledText(twice), "nothing"],
    ["the visits as they are", calledText(asGiven), "what is new at visit 2"],
    ["visit 2 moved by 0.5 mm", `${calledText(moved)} further`, "nothing further"],
    ["planted, the visits swapped", `${calledNew} of ${of} planted`, "none: they vanish"],
    ["the visits swapped", calledText(swapped), "what is gone at visit 2"],
  ];
}

function checkTable(record: SelftestRecord): string {
  const row = ([pair, called, right]: readonly string[]) =>
    `<tr><td>${pair}</td><td>${called}</td><td>${right}</td></tr>`;
  return `<table>
<thead><tr><th>pair</th><th>called new</th><th>right is</th></tr></thead>
<tbody>${checkRows(record).map(row).join("\n")}</tbody>
</table>`;
}

function pictureSection(pictures: readonly PagePicture[]): string {
  if (pictures.length === 0) return "";
  const figures = pictures.map(({ sizeMm, found, png }) => {
    const words = `${sizeMm} mm, ${found ? "found" : "missed"}`;
    return (
      `<div class="lesion"><p>${words}</p><img alt="planted lesion of ${words}, in three planes without it and with it, outlined" ` +
      `src="data:image/png;base64,${png}"></div>`
    );
  });
  return `<h2>The first planted lesion of each size</h2>
<p>Visit 2 as it is, and with the lesion. Radiological view, 50 mm across.</p>
${figures.join("\n")}`;
}

function origin({ detector, program, created, voxelMm, seed }: SelftestRecord): string {
  return originTable(detector.weights, [
    ["rule", detector.rule],
    ["voxels", `${voxelMm.map((mm) => mm.toFixed(2)).join(" × ")} mm`],
    ["seed", String(seed)],
    ["program", program],
    ["made", created],
  ]);
}
