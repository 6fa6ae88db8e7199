/** Signs that two scans are no two visits of one patient. A page may import it. */
import { type Acquisition, dateText } from "./acquisition";

/** What DICOM says of a scan. */
export interface Origin {
  readonly acquisition?: Acquisition;
  /** The patient's number: to compare two visits by, and for no file. */
  readonly patient?: string;
  /** The number of its examination: also to compare. */
  readonly examination?: string;
}

/** Signs that the two are not the earlier and the later visit of one patient. */
export function doubtsOf(one: Origin, two: Origin): string[] {
  const doubts: string[] = [];
  const [patient1, patient2] = [one.patient, two.patient];
  if (patient1 !== undefined && patient2 !== undefined && patient1 !== patient2) {
    doubts.push("the two visits have different PatientIDs: check that they are of one patient");
  }
  if (one.examination !== undefined && one.examination === two.examination) {
    doubts.push(
      "both visits are of one examination (StudyInstanceUID): check that they are two visits",
    );
  }
  const [date1, date2] = [one.acquisition?.date, two.acquisition?.date].map(
    (d) => d && dateText(d),
  );
  if (date1 !== undefined && date2 !== undefined && date2 < date1) {
    doubts.push(`visit 2 (${date2}) is earlier than visit 1 (${date1}): check their order`);
  }
  return doubts;
}
