/** A calibration as lines for the user. */
import type { Calibration } from "./calibration";
import { rateText } from "./decision_text";
import { OPERATING_POINTS } from "./operating_points";

export function calibrationText({ patients, map, heldOut, points }: Calibration): string[] {
  const number = (value: number | null) => (value === null ? "–" : value.toFixed(4));
  const kinds = Object.entries(heldOut ?? {}).map(
    ([kind, { brier, ece }]) => `${kind}: Brier ${number(brier)}, ECE ${number(ece)}`,
  );
  const chosen = map ? map.kind : "none";
  const voxels = heldOut
    ? `voxels: ${chosen}; each patient by the others: ${kinds.join("; ")}`
    : "voxels: none, for one patient alone cannot show what is better";
  if (!points) return [`${patients} left-out patients`, voxels, "lesions: none in their reference"];
  const rows = OPERATING_POINTS.map((name) => {
    const { threshold, minLesionVolume, found, falseLesions, lesion } = points[name];
    const fitted = lesion ? "" : "; too few for a probability of a lesion";
    return (
      `${name}: ${threshold} or more, above ${minLesionVolume} mm³; found ${rateText(found)} lesions, ` +
      `${falseLesions} false${fitted}`
    );
  });
  return [`${patients} left-out patients`, voxels, ...rows];
}
