/** Everything that training keeps on the device. */
import { SCALE_SIZE } from "../../kernels/loss/loss_scale";
import { state, type Tensor } from "../core/tensor";
import { supervisionParameters } from "../nn/deep_supervision";
import { type ParameterSpec, unetParameters } from "../nn/parameters";
import type { UNetConfig } from "../nn/unet3d";
import { type FlatParameters, flatParameters } from "../nn/weights";
import type { TrainConfig } from "../settings/config";
import { rowWords } from "./augment";
import { STEP_SIZE } from "./schedule";

/** Iterations that the statistics log holds: reports must be read at least that often. */
export const LOG_ROWS = 256;
export const LOG_COLUMNS = 16;
/** Columns from here on are of telemetry.ts; the ones before of batch_stats. */
export const TELEMETRY_COLUMN = 11;

/** Everything that training changes or reads between iterations. */
export interface TrainState {
  readonly student: FlatParameters;
  readonly momentum: FlatParameters;
  readonly gradient: FlatParameters;
  /** Adam's moments. */
  readonly m: Tensor;
  readonly v: Tensor;
  /** Scalars of the iteration, see stepValues. */
  readonly step: Tensor;
  /**
   * Sampled positions and, with augmentation, its parameters: (B̄, 4 or more), or (B, …) for the
   * uniform sampler.
   */
  readonly coords: Tensor;
  /** (LOG_ROWS, LOG_COLUMNS). */
  readonly log: Tensor;
  /** w̄ at the report before, with the full telemetry of mining. */
  readonly earlier?: FlatParameters;
  /** The loss scale, where activations are f16 (kernels/loss/loss_scale.ts). */
  readonly scale?: Tensor;
}

export function makeTrainState(specs: readonly ParameterSpec[], config: TrainConfig): TrainState {
  const student = flatParameters("w", specs);
  const total = student.flat.shape;
  return {
    student,
    momentum: flatParameters("w_momentum", specs),
    gradient: flatParameters("gradient", specs),
    m: state("adam_m", total),
    v: state("adam_v", total),
    step: state("step", [STEP_SIZE]),
    coords: state("coords", [sampleCount(config), rowWords(config.augment)], "u32"),
    log: state("log", [LOG_ROWS, LOG_COLUMNS]),
    earlier: hasFullTelemetry(config) ? flatParameters("w_earlier", specs) : undefined,
    scale: config.precision === "f16" ? state("loss_scale", [SCALE_SIZE]) : undefined,
  };
}

/** Whether a report ranks the pool under three networks: only mining has ranks. */
export const hasFullTelemetry = ({ telemetry, sampler }: TrainConfig): boolean =>
  telemetry === "full" && sampler === "ohem";

/** Patches sampled per iteration: B̄, or B where nothing is ranked. */
export function sampleCount(config: TrainConfig): number {
  return config.sampler === "ohem" ? config.pool : config.batch;
}

export function unetConfig(config: TrainConfig): UNetConfig {
  const { filters, groups, alignCorners, recompute, difference } = config;
  const inChannels = difference ? 3 : 2;
  return { inChannels, filters, groups, epsilon: 1e-5, alignCorners, recompute };
}

/** The network's parameters, then those that exist in training alone. */
export function trainedParameters(config: TrainConfig): ParameterSpec[] {
  const network = unetParameters(unetConfig(config));
  return config.deepSupervision ? [...network, ...supervisionParameters(config)] : network;
}
