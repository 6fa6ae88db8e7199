/** Names in the folder of a result, which src/result writes. A page may import it. */
export const RESULT_FILES = {
  record: "result.json",
  mask: "mask.nii.gz",
  visit1: "visit1.nii.gz",
  visit2: "visit2.nii.gz",
  probability: "probability.nii.gz",
  change: "change.nii.gz",
  report: "report.html",
  /** Written by the viewer. */
  corrected: "mask_corrected.nii.gz",
  decisions: "decisions.json",
  readReport: "report_corrected.html",
} as const;
