/** Which patches are sampled, and which of them are trained on. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { optionOf, share, whole } from "./values";

export const MINING_ERRORS = ["loss", "topk-ce", "fp-fn"] as const;
export const SELECTIONS = ["top", "proportional"] as const;

export const miningSettings = {
  /** "ohem": momentum hard-example mining (Algorithm 1); "uniform": the paper's other arm. */
  sampler: z.enum(["ohem", "uniform"]),
  /** B̄: patches sampled and ranked per iteration. */
  pool: whole,
  /** B: patches trained on per iteration. */
  batch: whole,
  /** Share of positive patches among the sampled. */
  positive: share,
  /** What patches are ranked by: the training loss of each, or an error of its own. */
  miningError: z.enum(MINING_ERRORS).default("loss"),
  /** topk-ce: the largest cross-entropies count, this many percent of a patch's voxels. */
  topkPercent: z.number().gt(0).max(100).default(10),
  /** The B largest errors, or B patches drawn without replacement in proportion to their errors. */
  selection: z.enum(SELECTIONS).default("top"),
  /** Share of positive patches among the selected; absent: as the errors say. */
  positiveQuota: share.optional(),
  /** "full" ranks the pool under w and the earlier w̄ too, once a report. */
  telemetry: z.enum(["basic", "full"]).default("basic"),
  /** Momentum of w̄. */
  mu: share,
  muRamp: z.boolean(),
};

interface Mining {
  readonly sampler: "ohem" | "uniform";
  readonly pool: number;
  readonly batch: number;
  readonly telemetry: "basic" | "full";
}

/** The quadratic count of ranks stays below some milliseconds up to here. */
const MOST_RANKED = 8192;

export function checkMining({ sampler, pool, batch, telemetry }: Mining): void {
  if (sampler === "ohem" && telemetry === "full" && pool > MOST_RANKED) {
    throw new UserError(
      `--telemetry full compares ranks of at most ${MOST_RANKED} patches, --pool is ${pool}; leave it ` +
        "out, or make the pool smaller",
    );
  }
  if (sampler === "ohem" && batch > pool) {
    throw new UserError(
      `--batch ${batch} is larger than --pool ${pool}: B patches are selected from ` +
        "the pool; make the pool at least as large",
    );
  }
}

/** Settings that are about ranking alone. */
const OF_RANKING = ["miningError", "topkPercent", "selection", "positiveQuota", "telemetry"];

/** @throws UserError when one of the settings that were given does nothing with the others */
export function checkMiningUse(
  config: { readonly sampler: string; readonly miningError: string },
  given: readonly string[],
): void {
  const idle = given.find((name) => config.sampler !== "ohem" && OF_RANKING.includes(name));
  if (idle) {
    throw new UserError(
      `--${optionOf(idle)} does nothing with --sampler ${config.sampler}, which ranks nothing; ` +
        "leave it out, or take --sampler ohem",
    );
  }
  if (given.includes("topkPercent") && config.miningError !== "topk-ce") {
    throw new UserError(
      `--topk-percent does nothing with --mining-error ${config.miningError}: it is for topk-ce`,
    );
  }
}
