/** New, grown and resolved lesions, derived from the masks of all lesions at two visits. */
import { voxelVolume } from "../data/affine";
import type { Mask, Size3 } from "../data/volume";
import { connectedComponents } from "../eval/components";

/** A folder that was made by another version of the rule is refused. */
export const TRUTH_RULE = {
  version: 2,
  connectivity: 26,
  /** A lesion is new when it does not touch the earlier ones, grown by so many voxels. */
  apartVoxels: 1,
  /** A new lesion is larger. */
  aboveMm3: 3,
} as const;

/** All three lie on the grid of the masks. */
export interface DerivedTruth {
  readonly appeared: Mask;
  /** What lesions that were there already have gained. */
  readonly grown: Mask;
  readonly resolved: Mask;
  readonly counts: {
    readonly appeared: number;
    readonly resolved: number;
    /** Volume of `grown`; some of it is the two raters' disagreement along every rim. */
    readonly grownMm3: number;
    /** Components that are apart from the other visit's lesions but too small to count. */
    readonly specks: number;
  };
}

/** The rule in words, for the README of a cohort. */
export const TRUTH_RULE_TEXT =
  "A component (26 neighbours) of the lesions at visit 2 is new where it is larger than 3 mm³ and does " +
  "not touch the lesions at visit 1 dilated by one voxel (26 neighbours). What a component that " +
  "touches them has beyond the lesions at visit 1 is grown. Resolved is the first rule with the " +
  "visits swapped. Components of 3 mm³ or less that touch nothing are in none of the three.";

/** @param earlier all lesions at visit 1, on the grid of `later` */
export function deriveTruth(earlier: Mask, later: Mask): DerivedTruth {
  const [there, back] = [gains(earlier, later), gains(later, earlier)];
  return {
    appeared: there.appeared,
    grown: there.grown,
    resolved: back.appeared,
    counts: {
      appeared: there.counts.appeared,
      resolved: back.counts.appeared,
      grownMm3: there.counts.grown * voxelVolume(later.affine),
      specks: there.counts.specks + back.counts.specks,
    },
  };
}

function gains(before: Mask, after: Mask) {
  const { size, affine } = after;
  const near = dilated(before.data, size, TRUTH_RULE.apartVoxels);
  const { count, voxels } = connectedComponents(after.data, size, TRUTH_RULE.connectivity);
  const [appeared, grown] = [after.data, after.data].map(
    ({ length }) => new Uint8Array(length),
  ) as [Uint8Array, Uint8Array];
  const counts = { appeared: 0, grown: 0, specks: 0 };
  // Headers hold float32: 3 voxels of 1.0000001 mm³ are 3 mm³.
  const most = (TRUTH_RULE.aboveMm3 / voxelVolume(affine)) * (1 + 1e-6);
  for (let component = 1; component <= count; component++) {
    const members = voxels(component);
    if (members.some((voxel) => near[voxel])) {
      const gained = members.filter((voxel) => !before.data[voxel]);
      counts.grown += gained.length;
      for (const voxel of gained) grown[voxel] = 1;
    } else if (members.length > most) {
      counts.appeared++;
      for (const voxel of members) appeared[voxel] = 1;
    } else counts.specks++;
  }
  return {
    appeared: { size, affine, data: appeared },
    grown: { size, affine, data: grown },
    counts,
  };
}

/** The voxels of a mask and all their neighbours, by corners too, `times` over. */
function dilated(data: Uint8Array, [nx, ny, nz]: Size3, times: number): Uint8Array {
  let mask = data;
  for (let time = 0; time < times; time++) {
    for (const [stride, n] of [
      [1, nx],
      [nx, ny],
      [nx * ny, nz],
    ] as const) {
      const wider = mask.slice();
      for (let i = mask.indexOf(1); i >= 0; i = mask.indexOf(1, i + 1)) {
        const at = Math.floor(i / stride) % n;
        if (at > 0) wider[i - stride] = 1;
        if (at < n - 1) wider[i + stride] = 1;
      }
      mask = wider;
    }
  }
  return mask;
}
