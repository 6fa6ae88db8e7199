/** The files of an answer, as the command line and its viewer write them, to the reader's own disk. */
import { encodeNifti } from "../../data/nifti_encode";
import type { Grid } from "../../data/volume";
import { readResult } from "../../result/read_result";
import { RESULT_FILES } from "../../result/record";
import type { Reading } from "../../viewer/page/reading";
import type { OpenedResult } from "../../viewer/page/source";
import { pageReport } from "./page_report";

export const DOWNLOADS = ["mask", "report", "decisions", "probability"] as const;
export type Download = (typeof DOWNLOADS)[number];

const NAMES: Readonly<Record<Download, string>> = {
  mask: RESULT_FILES.mask,
  report: RESULT_FILES.report,
  decisions: RESULT_FILES.decisions,
  probability: RESULT_FILES.probability,
};

/** Mask and report are the reader's, where there are decisions; else those of the prediction. */
export async function fileOf(
  kind: Download,
  opened: OpenedResult,
  reading: Reading,
): Promise<File> {
  const named = (blob: Blob) => new File([blob], fileName(opened.record.patient, NAMES[kind]));
  const { decisions, corrected } = reading.saved();
  const isRead = decisions.log.length > 0;
  switch (kind) {
    case "mask": {
      const mask = isRead ? corrected : opened.mask;
      return named(await gzipped(opened.mask, mask.data, NAMES.mask));
    }
    case "probability": {
      const { probability } = opened;
      if (!probability) throw new Error("this answer has no probability map");
      return named(await gzipped(probability, probability.data, NAMES.probability));
    }
    case "report": {
      const html = await pageReport(isRead ? readResult(opened, decisions, corrected) : opened);
      return named(new Blob([html], { type: "text/html" }));
    }
    case "decisions": {
      const json = `${JSON.stringify(decisions, null, 2)}\n`;
      return named(new Blob([json], { type: "application/json" }));
    }
    default:
      return kind satisfies never;
  }
}

/** `patient_mask.nii.gz`, in letters that every system takes. */
const fileName = (patient: string, name: string): string =>
  `${patient.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 80) || "patient"}_${name}`;

async function gzipped(grid: Grid, data: Uint8Array | Float32Array, name: string): Promise<Blob> {
  const plain = new Blob([encodeNifti(grid, data, name)]).stream();
  return new Response(plain.pipeThrough(new CompressionStream("gzip"))).blob();
}

/** To the browser's folder of downloads. */
export function save(file: File): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: file.name });
  link.click();
  // The browser reads it a little later.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
