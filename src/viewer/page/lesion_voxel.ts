/** The place to jump to for a lesion. */
import { type Size3, voxelAt } from "../../data/volume";
import type { Voxel } from "./brush";
import type { Reading } from "./reading";

/** The voxel of a lesion, as it was found or as it is now, that is nearest to its middle. */
export function placeIn({ labels, study }: Reading, id: number): Voxel | undefined {
  return (
    nearestToMiddle(labels, id, study.grid.size) ??
    nearestToMiddle(study.labels, id, study.grid.size)
  );
}

function nearestToMiddle(labels: Uint16Array, id: number, size: Size3): Voxel | undefined {
  const own: Voxel[] = [];
  for (let i = labels.indexOf(id); i >= 0; i = labels.indexOf(id, i + 1)) {
    own.push(voxelAt(i, size));
  }
  if (own.length === 0) return undefined;
  const middle = [0, 1, 2].map((axis) => own.reduce((sum, at) => sum + at[axis]!, 0) / own.length);
  const far = (at: Voxel) => Math.hypot(...at.map((v, axis) => v - middle[axis]!));
  return own.reduce((a, b) => (far(b) < far(a) ? b : a));
}
