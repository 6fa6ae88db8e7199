/** The number of windows that one run of a network takes. */
import type { Capabilities } from "../core/kernel";
import type { Precision } from "../core/tensor";
import type { Choices } from "../core/variant";
import { capabilities } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import { patchesPerDispatch } from "../nn/unet3d";
import type { ModelInfo } from "./model_info";

/** A network as far as its window batch depends on it. */
export interface WindowModel extends Pick<ModelInfo, "unet" | "patch"> {
  /** How activations are stored: f32 if absent. */
  readonly precision?: Precision;
}

/** The fastest known choices on a device (src/choose); absent ones are left to the defaults. */
export interface DeviceChoices {
  /** Variants of kernels. */
  readonly kernels?: Choices;
  /** Windows per run of a network; undefined where none was tuned. */
  readonly windowBatch?: (model: WindowModel) => number | undefined;
}

/** Enough to fill the adapter, and little waste at the end: windows of 32³, or as many voxels. */
export const DEFAULT_BATCH: Readonly<Record<Capabilities["kind"], number>> = {
  lavapipe: 8,
  swiftshader: 8,
  hardware: 32,
};

/** Most windows per run: `wanted`, or fewer where a binding holds fewer. */
export function boundedBatch(device: Device, model: WindowModel, wanted: number): number {
  const { unet, patch, precision } = model;
  const { maxBindingBytes } = capabilities(device);
  return patchesPerDispatch(unet, patch, maxBindingBytes, wanted, precision);
}

/** Windows per run of the network: `wanted` if it is given, else the default of the adapter's kind. */
export function windowBatch(device: Device, model: WindowModel, wanted?: number): number {
  const windows = DEFAULT_BATCH[capabilities(device).kind];
  const untuned = Math.max(1, Math.min(windows, Math.round(windows / (model.patch / 32) ** 3)));
  return boundedBatch(device, model, wanted ?? untuned);
}
