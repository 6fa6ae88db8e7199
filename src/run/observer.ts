/** A training or a prediction tells of itself to a terminal, a page or a test that listens. */
import type { TuneObserver } from "../choose/observer";
import type { Metrics } from "../train/metrics";
import type { Budget } from "./training_rates";

/** A part of the work that the caller's signal ends early: with everything saved that there is. */
export type Phase = "pairs" | "tuning" | "training" | "predicting" | "cohort" | "viewing";

export interface Observer extends TuneObserver {
  /** A training has its run folder, with its settings and split in it. */
  onFolder?(path: string): void;
  onBegin?(phase: Phase): void;
  onEnd?(phase: Phase): void;
  /** A report or a validation of a training, with the measured rates and the time left. */
  onMetrics?(metrics: Metrics, budget: Budget): void;
  /** Windows that a prediction has handed to the device. */
  onWindows?(done: number, total: number): void;
  /** A prediction has ended a stage, or a part of one. */
  onStage?(stage: string): void;
}
