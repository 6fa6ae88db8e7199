/** Names in the derivatives of a BIDS data set (docs/guides/clusters.md), by BIDS 1.10. */
import type { BidsPair } from "../cohort/pairs";
import type { ResultRecord } from "../result/record";

export type Grid = ResultRecord["grid"];

/** Letters and digits: what the label of an entity may hold. */
const labelOf = (session: string): string =>
  session.replace(/^ses-/, "").replace(/[^a-z0-9]/gi, "");

/**
 * The space of a grid: "orig" is the later session's own, in which `import bids` looks for masks; the
 * earlier session's is named by it, and "midpoint" lies half-way between both.
 */
export function spaceOf({ sessions }: BidsPair, grid: Grid): string {
  if (grid === "t2") return "orig";
  return grid === "t1" ? `ses${labelOf(sessions[0])}` : "midpoint";
}

/** Folder of a pair, below that of the derivatives; of its later session. */
export const folderOf = ({ subject, sessions }: BidsPair): string =>
  `${subject}/${sessions[1]}/anat`;

/** Paths below the folder of the derivatives. */
export function pathsOf(pair: BidsPair, grid: Grid) {
  const { subject, sessions } = pair;
  const [earlier, later] = sessions.map(labelOf);
  const stem = `${folderOf(pair)}/${subject}_${sessions[1]}`;
  const placed = `${stem}_space-${spaceOf(pair, grid)}`;
  const xfm = (from: string, to: string) =>
    `${stem}_from-ses${from}_to-ses${to}_mode-image_xfm.txt`;
  return {
    mask: `${placed}_label-lesion_desc-new_mask`,
    lesions: `${placed}_desc-new_dseg`,
    probability: `${placed}_label-lesion_desc-new_probseg`,
    /** Takes images of the earlier session to the later one's space. */
    forward: xfm(earlier!, later!),
    backward: xfm(later!, earlier!),
    /** Both visits, where the grid is that of no file. */
    visits: [
      `${subject}/${sessions[0]}/anat/${subject}_${sessions[0]}_space-midpoint_desc-with${later}_FLAIR`,
      `${placed}_desc-with${earlier}_FLAIR`,
    ] as const,
    report: `${subject}_${sessions.join("_")}.html`,
  };
}
