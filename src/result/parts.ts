/** A result in memory: its record, and the images that it is about. */
import type { Mask, Volume } from "../data/volume";
import { findLesions } from "../eval/lesion_detection";
import type { ResultRecord } from "./record";

export interface Result {
  readonly record: ResultRecord;
  /** All on one grid. */
  readonly visit1: Volume;
  readonly visit2: Volume;
  readonly mask: Mask;
  readonly probability?: Volume;
  /** z of the change statistic. */
  readonly change?: Volume;
}

/** Per voxel the id of its lesion, 0 outside: by size, as the ids of the record are given. */
export function lesionLabels(
  { data, size }: Mask,
  { kind }: Pick<ResultRecord, "kind">,
): Int32Array {
  return findLesions(data, size, 1, kind === "change" ? 26 : 6).labels;
}

/** Each of the first lesions by itself, for its picture. */
export function picturedLesions({ mask, record }: Result, most: number): Mask[] {
  const labels = lesionLabels(mask, record);
  return record.lesions
    .slice(0, most)
    .map(({ id }) => ({ ...mask, data: Uint8Array.from(labels, (v) => (v === id ? 1 : 0)) }));
}
