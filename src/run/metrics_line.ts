/** A line of `metrics.jsonl` as it is read. */
import { z } from "zod";
import type { Metrics } from "../train/metrics";

const number = z.number().optional();
const byPatient = z.record(z.string(), z.number());
const byWeights = z.looseObject({ student: byPatient, momentum: byPatient }).optional();

const known = {
  iteration: z.number().int().min(0),
  seconds: z.number().min(0),
  ...{ iterationsPerSecond: number, patchesPerSecond: number, secondsLeft: number },
  ...{ loss: number, learningRate: number, positiveFraction: number },
  ...{ diceStudent: number, diceMomentum: number },
  ...{ lesionF1Student: number, lesionF1Momentum: number },
  ...{ gradientLesion: number, gradientOther: number, gradientEmpty: number },
  ...{ selectedAgreement: number, poolAgreement: number },
  ...{ ranks: number, exchangeShare: number },
  ...{ selectionAgreement: number, selectionOverlap: number },
} satisfies Record<keyof Metrics, z.ZodType>;

/** A line may hold fields of another version. */
export const metricsSchema = z.looseObject({
  ...known,
  perPatient: byWeights,
  lesionF1PerPatient: byWeights,
});
export type MetricsLine = Readonly<z.output<typeof metricsSchema>>;
