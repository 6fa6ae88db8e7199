/** A trained model for inference: what its weights file holds, and the network that it is for. */
import { sigmoid } from "../../kernels/elementwise/sigmoid";
import type { Safetensors } from "../data/safetensors";
import { type Calibration, storedCalibration } from "../decision/calibration";
import { storedSweeps } from "../decision/stored_decision";
import type { PatientSweep } from "../decision/threshold_table";
import { fromNamed, unetParameters } from "../nn/parameters";
import { type ParameterTensors, type UNetConfig, unet3d } from "../nn/unet3d";
import { type ModelInfo, modelOf, notesOf, versionOf } from "./model_info";
import type { Network } from "./window_options";

export interface LoadedWeights {
  readonly info: ModelInfo;
  readonly flat: Float32Array;
  /** What each threshold gave on its validation patients, where training has ended with that. */
  readonly sweeps?: readonly PatientSweep[];
  /** As fitted on left-out patients. */
  readonly calibration?: Calibration;
  /** Lines for the user. */
  readonly notes: readonly string[];
}

/**
 * The model in the contents of a weights file; `file` is only named in messages. The checksum is the
 * reader's to compare (`readSafetensors` does; a page has `compareChecksum`).
 * @throws UserError when it is not one of voxgrad's
 */
export function weightsOf(contents: Safetensors, file: string): LoadedWeights {
  const { tensors, metadata } = contents;
  const version = versionOf(contents, file);
  const info = modelOf(metadata, version, file);
  const flat = fromNamed(unetParameters(info.unet), tensors, file);
  const sweeps = storedSweeps(metadata, file);
  const calibration = storedCalibration(metadata, file);
  return { info, flat, sweeps, calibration, notes: notesOf(version, file) };
}

/** U-Net and sigmoid. */
export function unetNetwork(params: ParameterTensors, config: UNetConfig): Network {
  return (g, x) => g.apply(sigmoid, { x: unet3d(g, params, x, config) }, {}).y!;
}
