import { type Evaluation, METRICS, type Metric } from "./scores";
import {
  type BootstrapSettings,
  bootstrap,
  DEFAULT_BOOTSTRAP,
  type Estimate,
  mean,
  median,
} from "./statistics";

/** A metric over the patients that have it. */
export interface MetricSummary {
  readonly patients: number;
  readonly mean: Estimate;
  readonly median: Estimate;
}

/** Number of patients of a kind, and in how many of them a lesion above 3 mm³ is predicted. */
export interface PatientCount {
  readonly patients: number;
  readonly withPrediction: number;
}

/** A cohort's scores. Patients without reference lesions are apart: they have other metrics. */
export interface CohortSummary {
  readonly withLesions: PatientCount;
  readonly lesionFree: PatientCount;
  /** Metrics in report order; left out where no patient has them. */
  readonly metrics: Readonly<Partial<Record<Metric, MetricSummary>>>;
  readonly bootstrap: BootstrapSettings & { readonly method: "percentile" };
}

/**
 * Mean and median of each metric with their bootstrap intervals, patients being resampled. Metrics
 * that the same patients have are resampled alike.
 */
export function summariseCohort(
  patients: readonly Evaluation[],
  settings: BootstrapSettings = DEFAULT_BOOTSTRAP,
): CohortSummary {
  const metrics: Partial<Record<Metric, MetricSummary>> = {};
  for (const metric of METRICS) {
    const values = patients.map(({ scores }) => scores[metric]).filter((value) => value !== null);
    if (values.length === 0) continue;
    metrics[metric] = {
      patients: values.length,
      mean: bootstrap(values, mean, settings),
      median: bootstrap(values, median, settings),
    };
  }
  const count = (free: boolean): PatientCount => {
    const group = patients.filter(({ lesionFree }) => lesionFree === free);
    const withPrediction = group.filter(({ predictedLesions }) => predictedLesions.length > 0);
    return { patients: group.length, withPrediction: withPrediction.length };
  };
  return {
    withLesions: count(false),
    lesionFree: count(true),
    metrics,
    bootstrap: { ...settings, method: "percentile" },
  };
}
