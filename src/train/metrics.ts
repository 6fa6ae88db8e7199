/** The numbers of mining since the report before; docs/guides/mining.md defines each. */
export interface MiningTelemetry {
  /** Norms of the gradient by the logits: over lesion voxels, over the others, in empty patches. */
  readonly gradientLesion?: number;
  readonly gradientOther?: number;
  readonly gradientEmpty?: number;
  /** Spearman's correlation of the errors under w̄ and under w, over the selected patches. */
  readonly selectedAgreement?: number;
  /** The same over the whole pool, and the share of the selection that w would have selected too. */
  readonly poolAgreement?: number;
  readonly selectionAgreement?: number;
  /** The share of the selection that w̄ of the report before would have selected too. */
  readonly selectionOverlap?: number;
}

/** Of a training that several processes share. */
export interface SharingMetrics {
  readonly ranks?: number;
  /** Share of the time in iterations that they exchange gradients and errors, 0 to 1. */
  readonly exchangeShare?: number;
}

/**
 * One line of `metrics.jsonl`. Numbers that do not exist for a line (no validation was due, one
 * iteration was not enough to measure a rate) are left out, never null or NaN.
 */
export interface Metrics extends MiningTelemetry, SharingMetrics {
  /** Iterations finished, counted from 1 over all resumed sessions. */
  readonly iteration: number;
  /** Training time in seconds, summed over all resumed sessions. */
  readonly seconds: number;
  readonly iterationsPerSecond?: number;
  /** Patches trained on per second, that is B per iteration. */
  readonly patchesPerSecond?: number;
  /** Estimated, in seconds. */
  readonly secondsLeft?: number;
  /** Mean loss of the selected batch under the student. */
  readonly loss?: number;
  readonly learningRate?: number;
  /** Share of patches with a lesion among the selected, 0 to 1. */
  readonly positiveFraction?: number;
  /** Mean Dice on the validation patients with the student's weights w. */
  readonly diceStudent?: number;
  /** Mean Dice on the validation patients with the momentum weights w̄. */
  readonly diceMomentum?: number;
  /** Mean lesion F1 (MSSEG-2) on the validation patients with either weights. */
  readonly lesionF1Student?: number;
  readonly lesionF1Momentum?: number;
}

/** `metrics` without what is undefined, NaN or infinite: what may be shown or stored. */
export function finiteOnly<T extends object>(metrics: T): Partial<T> {
  const kept = Object.entries(metrics).filter(
    ([, value]) =>
      value !== undefined &&
      value !== null &&
      !(typeof value === "number" && !Number.isFinite(value)),
  );
  return Object.fromEntries(kept) as Partial<T>;
}
