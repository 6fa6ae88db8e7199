/** `report.html`, made in the page: the same pictures on the browser's canvas. */
import { drawLesion } from "../../pictures/lesion_panels";
import { FONT, type Sheet } from "../../pictures/panel";
import { picturedLesions, type Result } from "../../result/parts";
import { MOST_PICTURES, reportHtml } from "../../result/report_html";

interface PageSheet extends Sheet {
  readonly canvas: OffscreenCanvas;
}

export async function pageReport(result: Result): Promise<string> {
  // A canvas does not wait for fonts.
  await Promise.all(["400", "600"].map((weight) => document.fonts.load(`${weight} 14px ${FONT}`)));
  const pictures: Uint8Array[] = [];
  for (const lesion of picturedLesions(result, MOST_PICTURES)) {
    const { canvas } = drawLesion(newSheet, result.visit1, result.visit2, lesion);
    const png = await canvas.convertToBlob({ type: "image/png" });
    pictures.push(new Uint8Array(await png.arrayBuffer()));
  }
  return reportHtml(result.record, pictures);
}

function newSheet(width: number, height: number): PageSheet {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser gives no canvas for the report's pictures");
  return { width, canvas, context };
}
