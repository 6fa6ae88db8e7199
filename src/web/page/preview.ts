/** The two scans on one grid, as the viewer shows them before anything was looked for. */
import { version } from "../../../package.json";
import { UserError } from "../../core/errors";
import { pairOf } from "../../data/pair";
import type { Volume } from "../../data/volume";
import { visitRecord } from "../../dicom/acquisition";
import { doubtsOf } from "../../dicom/doubts";
import { RECORD_FORMAT, RESULT_FILES, type ResultRecord } from "../../result/record";
import type { OpenedResult } from "../../viewer/page/source";
import type { Scans } from "./protocol";

/** @param line in place of an answer */
export function previewOf(scans: Scans, patient: string, line: string): OpenedResult {
  const [one, two] = scans;
  const { image: visit1 } = one;
  const { size, affine } = visit1;
  const doubts = doubtsOf(one, two);
  const mask = { size, affine, data: new Uint8Array(visit1.data.length) };
  const record: ResultRecord = {
    ...{ format: RECORD_FORMAT, program: `voxgrad ${version}`, created: new Date().toISOString() },
    ...{ patient, kind: "network", grid: "t1", newLesions: false, rule: "", weights: [] },
    visits: [visitRecord(one.path, one.acquisition), visitRecord(two.path, two.acquisition)],
    files: {
      ...{ mask: RESULT_FILES.mask, visit1: RESULT_FILES.visit1, visit2: RESULT_FILES.visit2 },
    },
    ...{ lesions: [], quality: { fit: doubts.length === 0, lines: doubts } },
  };
  return { record, visit1, visit2: secondVisit(scans), mask, preview: line };
}

/** As the headers put it; black where they put it elsewhere, which registration may mend. */
function secondVisit([one, two]: Scans): Volume {
  try {
    return pairOf(one.path, one.image, two.path, two.image).time2;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { size, affine, data } = one.image;
    return { size, affine, data: new Float32Array(data.length) };
  }
}
