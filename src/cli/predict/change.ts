/** `bun run predict` without weights: the change statistic, and that it is one. */
import { CHANGE_MM3, CHANGE_Z, type Cluster } from "../../change/change_statistic";
import type { PairChange } from "../../run/pair_change";
import { table } from "../../terminal/text_table";

const MOST_ROWS = 20;

export const NO_NETWORK =
  "NO NETWORK: no weights are named, trained or shipped, or --weights is none. This is a statistic of change, not a " +
  "segmentation of lesions: vessels, motion and scanners change too (docs/guides/change.md)";

export function changeText({ brighter, darker, spread }: PairChange): string {
  const rule = `|z| of ${CHANGE_Z} or more, above ${CHANGE_MM3} mm³`;
  const lines = [
    NO_NETWORK,
    `clusters brighter at visit 2: ${brighter.length}, darker: ${darker.length} (${rule})`,
    `spread of the difference in the brain: ${spread.toFixed(4)} of its brightness`,
  ];
  const clusters = [...brighter, ...darker].sort((a, b) => b.volumeMm3 - a.volumeMm3);
  if (clusters.length === 0) return lines.join("\n");
  const shown = clusters.slice(0, MOST_ROWS).map(rowOf);
  const head = ["", "volume/mm³", "peak z", "right/mm", "anterior/mm", "superior/mm"];
  const more = clusters.length - shown.length;
  const rest = more > 0 ? [`and ${more} smaller ones`] : [];
  return [...lines, "", ...table([head, ...shown], [0]), ...rest].join("\n");
}

function rowOf({ sign, volumeMm3, peak, centreMm }: Cluster): string[] {
  const numbers = [volumeMm3, peak, ...centreMm].map((v) => v.toFixed(1));
  return [sign > 0 ? "brighter" : "darker", ...numbers];
}
