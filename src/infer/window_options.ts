/** A network as it runs over the windows of a volume, and the options of a prediction. */
import type { Graph } from "../core/graph";
import type { Precision, Tensor } from "../core/tensor";
import type { Choices } from "../core/variant";
import type { Mirror, WindowWeights } from "../settings/names";

/** Records a network: x (n, 2 or 3, p, p, p) → probabilities (n, 1, p, p, p). */
export type Network = (g: Graph, x: Tensor) => Tensor;

/** A network and how it is run. */
export interface BatchedNetwork {
  readonly network: Network;
  /** Windows per run. */
  readonly batch: number;
  /** Its third channel is visit 2 − visit 1. */
  readonly difference?: boolean;
}

/** The stages of a prediction's time. The first windows wait for drivers that compile late. */
export type Stage = "volumes" | "constant windows" | "compiling, first windows" | Repeated | "mean";
export type Repeated = "network" | "overlap";

export interface WindowOptions {
  readonly patch: number;
  readonly stride: number;
  /** How overlapping windows are weighted: uniform if absent. */
  readonly windowWeights?: WindowWeights;
  /** Axes to mirror and average over: none if absent. */
  readonly mirror?: Mirror;
  /** How the networks' activations are stored: f32 if absent. */
  readonly precision?: Precision;
  /** Variants of the networks' kernels: by default if absent. */
  readonly kernels?: Choices;
  /** Compute constant windows one by one all the same; for tests. */
  readonly everyWindow?: boolean;
  /** Called with the number of windows that are handed to the device, over all flips and networks. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called when the device has ended a stage, or a part of one. */
  readonly onStage?: (stage: Stage) => void;
  /** Ends the prediction with the signal's reason. */
  readonly signal?: AbortSignal;
}
