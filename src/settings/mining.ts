/** Settings that choose patches: those sampled, and those of them trained on. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { NAME, NUMBER } from "./notation";
import { setting, theme, turnedOff } from "./setting";
import { share, whole } from "./values";

export const MINING_ERRORS = ["loss", "topk-ce", "fp-fn"] as const;
export const SELECTIONS = ["top", "proportional"] as const;

/** What ranks patches. */
const RANKING = { sampler: ["ohem"] };

/** No selection ranks more (kernels/mining/top_b.ts). */
const patches = whole.max(65_536);

export const miningSettings = theme("Sampling and mining", {
  /** "ohem": momentum hard-example mining (Algorithm 1); "uniform": the paper's other arm. */
  sampler: setting(NAME, z.enum(["ohem", "uniform"]), "<name>", "ohem (mining) or uniform"),
  positive: setting(NUMBER, share, "<p>", "share of patches with a lesion among the sampled"),
  pool: setting(NUMBER, patches, "<n>", "B̄: patches ranked per iteration"),
  batch: setting(NUMBER, patches, "<n>", "B: patches trained on per iteration"),
  miningError: setting(
    NAME,
    z.enum(MINING_ERRORS).default("loss"),
    "<name>",
    `error that ranks the patches: ${MINING_ERRORS.join(", ")}`,
    RANKING,
  ),
  /** The largest cross-entropies count, this many percent of a patch's voxels. */
  topkPercent: setting(
    NUMBER,
    z.number().gt(0).max(100).default(10),
    "<k>",
    "topk-ce: share of a patch's voxels in percent",
    { ...RANKING, miningError: ["topk-ce"] },
  ),
  /** The B largest errors, or B patches drawn without replacement in proportion to their errors. */
  selection: setting(
    NAME,
    z.enum(SELECTIONS).default("top"),
    "<how>",
    "top, or proportional: B drawn in proportion to their errors",
    RANKING,
  ),
  /** Absent: as many as the errors say. */
  positiveQuota: setting(
    NUMBER,
    share.optional(),
    "<p>",
    "share of positive patches among the selected",
    RANKING,
  ),
  /** "full" ranks the pool under w and the earlier w̄ too, once a report. */
  telemetry: setting(
    NAME,
    z.enum(["basic", "full"]).default("basic"),
    "<how>",
    "basic, or full: more about the selection, once a report",
    RANKING,
  ),
  mu: setting(NUMBER, share, "<m>", "momentum of the ranking network w̄"),
  muRamp: turnedOff(z.boolean(), "use the momentum in full from the first iteration on"),
});

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
