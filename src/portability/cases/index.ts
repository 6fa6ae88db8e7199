/** Every case of the suite. */

import { references } from "../../reference/index";
import type { CaseList } from "../case";
import type { Rig } from "../op_run";
import { factCases } from "./facts";
import { fusedCases } from "./fused";
import { fusedPoolCases } from "./fused_pool";
import { limitCases } from "./limits";
import { loadCases } from "./load";
import { networkCases } from "./network";
import { opCases } from "./ops";

/** All that an adapter could run; whether a variant can do a case shows when it is recorded. */
export function allCases({ caps, device }: Rig, seed: number): CaseList {
  const { cases, skipped } = opCases(references, caps, seed);
  const fused = fusedCases(caps, seed);
  return {
    cases: [
      ...factCases(seed),
      ...cases,
      ...fused.cases,
      ...fusedPoolCases(seed),
      ...limitCases(device, caps, seed),
      ...loadCases(device, caps, seed),
      ...networkCases(seed),
    ],
    skipped: [...skipped, ...fused.skipped],
  };
}
