/** The report as one page that needs nothing else. */
import { countsOf, rowsOf } from "./cells";
import page from "./page.html" with { type: "text" };
import type { Report } from "./schema";

export function htmlReport(report: Report): string {
  const data = { report, rows: rowsOf(report), counts: countsOf(report) };
  // Nothing in the data may end the element that holds it.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return (page as unknown as string).replace(">DATA<", () => `>${json}<`);
}
