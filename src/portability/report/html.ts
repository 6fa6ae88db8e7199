/** The report as one page that needs nothing else. */

import type { IsaReport } from "../isa/schema";
import { HEADING, isaLegend, isaTable, poorLines } from "../isa/text";
import { countsOf, rowsOf } from "./cells";
import page from "./page.html" with { type: "text" };
import type { Report } from "./schema";

/** @param isa what AMD's compiler says, for a section of its own */
export function htmlReport(report: Report, isa?: IsaReport): string {
  const data = {
    ...{ report, rows: rowsOf(report), counts: countsOf(report) },
    isa: isa && { about: [HEADING, isaLegend(isa)], table: isaTable(isa), poor: poorLines(isa) },
  };
  // Nothing in the data may end the element that holds it.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return (page as unknown as string).replace(">DATA<", () => `>${json}<`);
}
