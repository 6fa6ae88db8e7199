/** The trials of all ops with variants, by the name of the op and of the choice (`Graph.pick`). */
import type { Op } from "../../core/op";
import type { Trial } from "../trial";
import { conv3dTrials } from "./conv3d";
import { upsample3dTrials } from "./upsample3d";

export const trials: Readonly<Record<string, Readonly<Record<string, Trial>>>> = {
  conv3d: conv3dTrials,
  upsample3d: upsample3dTrials,
};

/** How the variants of an op run by themselves, by the name of the choice; none without variants. */
export function trialsOf({ name }: Pick<Op, "name">): Readonly<Record<string, Trial>> {
  return trials[name] ?? {};
}
