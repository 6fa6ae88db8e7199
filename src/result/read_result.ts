/** A result as a reader left it: the corrected mask, and its lesions. */
import type { Mask } from "../data/volume";
import { findLesions } from "../eval/lesion_detection";
import { placeOf } from "../eval/lesions";
import type { Decisions } from "./decisions";
import { lesionLabels, type Result } from "./parts";
import type { ResultLesion, ResultRecord } from "./record";

/** Lesions are numbered anew, by their size; facts of those that the program found stay with them. */
export function readResult(result: Result, decisions: Decisions, corrected: Mask): Result {
  const { record, mask } = result;
  const { reader, finished, lesions: decided } = decisions;
  const before = lesionLabels(mask, record);
  const connectivity = record.kind === "change" ? 26 : 6;
  const found = findLesions(corrected.data, corrected.size, 1, connectivity);
  const lesions = Array.from({ length: found.count }, (_, i): ResultLesion => {
    const voxels = found.voxels(i + 1);
    const { centreMm, ...size } = placeOf(corrected, voxels);
    const place = { id: i + 1, ...size, centreMm: [...centreMm] as ResultLesion["centreMm"] };
    const old = record.lesions.find(({ id }) => id === commonest(voxels, before));
    if (!old) return { ...place, side: null, drawn: true };
    const { side, probability, peakZ } = old;
    return { ...place, side, probability, peakZ };
  });
  const reading: ResultRecord["reading"] = {
    ...{ reader, finished },
    rejected: decided.filter(({ decision, seed }) => decision === "rejected" && seed === undefined)
      .length,
    notes: decided
      .filter(({ note }) => note !== "")
      .map(({ id, note }) => ({ lesion: id, text: note })),
  };
  const read = { ...record, lesions, newLesions: lesions.length > 0, reading };
  return { ...result, mask: corrected, record: read };
}

/** The id that most voxels have, 0 left out. */
function commonest(voxels: Int32Array, labels: Int32Array): number | undefined {
  const counts = new Map<number, number>();
  for (const voxel of voxels) {
    const id = labels[voxel]!;
    if (id > 0) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}
