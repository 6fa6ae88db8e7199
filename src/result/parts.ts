/** A result in memory: its record, and the images that it is about. */
import { UserError } from "../core/errors";
import { sameGrid } from "../data/affine";
import type { Mask, Volume } from "../data/volume";
import { findLesions } from "../eval/lesion_detection";
import { RESULT_FILES, type ResultRecord } from "./record";

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

/**
 * The labels of a mask that is known to be the one that a record is about.
 * @param name stands for the mask in messages
 * @throws UserError where it is another
 */
export function checkedLabels(mask: Mask, record: ResultRecord, name: string): Int32Array {
  const labels = lesionLabels(mask, record);
  const counts = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label > 0) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const agrees =
    counts.size === record.lesions.length &&
    record.lesions.every(({ id, voxels }) => counts.get(id) === voxels);
  if (agrees) return labels;
  throw new UserError(
    `${name}: holds ${counts.size} lesions, not the ${record.lesions.length} of ${RESULT_FILES.record}; ` +
      "predict the pair again",
  );
}

/**
 * @param name stands for the corrected mask in messages
 * @throws UserError where it lies on another grid than the result's mask
 */
export function requireOneGrid(corrected: Mask, mask: Mask, name: string): void {
  if (sameGrid(corrected, mask)) return;
  throw new UserError(`${name}: lies on another grid than ${RESULT_FILES.mask}; move it away`);
}

/** Each of the first lesions by itself, for its picture. */
export function picturedLesions({ mask, record }: Result, most: number): Mask[] {
  const labels = lesionLabels(mask, record);
  return record.lesions
    .slice(0, most)
    .map(({ id }) => ({ ...mask, data: Uint8Array.from(labels, (v) => (v === id ? 1 : 0)) }));
}
