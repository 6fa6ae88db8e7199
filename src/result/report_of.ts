/** The HTML report of a result, with its pictures. */
import { lesionStrip } from "../pictures/lesion";
import { picturedLesions, type Result } from "./parts";
import { MOST_PICTURES, reportHtml } from "./report_html";

export function reportOf(result: Result): string {
  const { record, visit1, visit2 } = result;
  const pictures = picturedLesions(result, MOST_PICTURES).map((lesion) =>
    lesionStrip(visit1, visit2, lesion),
  );
  return reportHtml(record, pictures);
}
