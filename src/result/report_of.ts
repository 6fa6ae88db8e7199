/** The HTML report of a result, with its pictures. */
import type { Mask } from "../data/volume";
import { lesionStrip } from "../pictures/lesion";
import { lesionLabels, type Result } from "./parts";
import { MOST_PICTURES, reportHtml } from "./report_html";

export function reportOf(result: Result): string {
  const { record, visit1, visit2, mask } = result;
  const labels = lesionLabels(mask, record);
  const pictures = record.lesions.slice(0, MOST_PICTURES).map(({ id }) => {
    const lesion: Mask = { ...mask, data: Uint8Array.from(labels, (v) => (v === id ? 1 : 0)) };
    return lesionStrip(visit1, visit2, lesion);
  });
  return reportHtml(record, pictures);
}
