/** The table of a page that says of which weights, rule and program its answer is. */
import { escapeHtml } from "./escape_html";

/** @param facts names and plain texts of the rows after the weights */
export function originTable(
  weights: readonly { readonly name: string; readonly sha256: string }[],
  facts: readonly (readonly [name: string, text: string])[],
): string {
  const files = weights.map(
    ({ name, sha256 }) =>
      `${escapeHtml(name)} <span class="mono">sha256 ${escapeHtml(sha256)}</span>`,
  );
  const rows = [
    ["weights", files.length > 0 ? files.join("<br>") : "none: statistic of change"],
    ...facts.map(([name, text]) => [name, escapeHtml(text)]),
  ];
  const cells = rows.map(([name, html]) => `<tr><td>${name}</td><td>${html}</td></tr>`);
  return `<table class="facts">${cells.join("\n")}</table>`;
}
