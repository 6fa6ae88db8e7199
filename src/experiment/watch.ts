/** Reads the progress of an experiment's run from the files that it writes. */

import { readMetrics } from "../run/run_folder";
import { type Budget, readEnd, runPath } from "./folder";

/** Share of its budget that a run has used up: 0 to 1. */
export function shareDone(folder: string, id: string, budget: Budget): number {
  if (readEnd(folder, id)) return 1;
  const last = readMetrics({ path: runPath(folder, id) }).at(-1);
  if (!last) return 0;
  const share =
    "seconds" in budget ? last.seconds / budget.seconds : last.iteration / budget.iterations;
  return Math.min(0.99, share);
}
