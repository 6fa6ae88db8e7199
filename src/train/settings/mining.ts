/** Which patches are sampled, and which of them are trained on. */
import { z } from "zod";
import { UserError } from "../../core/errors";
import { share, whole } from "./values";

export const miningSettings = {
  /** "ohem": momentum hard-example mining (Algorithm 1); "uniform": the paper's other arm. */
  sampler: z.enum(["ohem", "uniform"]),
  /** B̄: patches sampled and ranked per iteration. */
  pool: whole,
  /** B: patches trained on per iteration. */
  batch: whole,
  /** Share of positive patches among the sampled. */
  positive: share,
  /** Momentum of w̄. */
  mu: share,
  muRamp: z.boolean(),
};

interface Mining {
  readonly sampler: "ohem" | "uniform";
  readonly pool: number;
  readonly batch: number;
}

export function checkMining({ sampler, pool, batch }: Mining): void {
  if (sampler === "ohem" && batch > pool) {
    throw new UserError(
      `--batch ${batch} is larger than --pool ${pool}: B patches are selected from ` +
        "the pool; make the pool at least as large",
    );
  }
}
