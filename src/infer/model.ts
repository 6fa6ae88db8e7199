/** A trained model for inference: what its weights file holds, and the network that it is for. */
import { sigmoid } from "../../kernels/elementwise/sigmoid";
import { UserError } from "../core/errors";
import type { Normalisation } from "../data/preprocess";
import type { Safetensors } from "../data/safetensors";
import { storedSweeps } from "../decision/stored_decision";
import type { PatientSweep } from "../decision/threshold_table";
import { fromNamed, unetParameters } from "../nn/parameters";
import { type ParameterTensors, type UNetConfig, unet3d } from "../nn/unet3d";
import type { Mirror, WindowWeights } from "../settings/names";
import type { Network } from "./window_options";

/** The settings that inference needs beside the weights; JSON in the metadata of a weights file. */
export interface ModelInfo {
  readonly unet: UNetConfig;
  /** Edge of the voxels that the network sees, mm. */
  readonly spacing: number;
  /** Edge of a window and stride of the grid of windows, voxels. */
  readonly patch: number;
  readonly stride: number;
  readonly normalisation: Normalisation;
  /** The third input channel is visit 2 − visit 1; absent in files from before there was one. */
  readonly difference?: boolean;
  /** How overlapping windows are weighted. */
  readonly windowWeights: WindowWeights;
  /** Axes to mirror and average over; "": none. */
  readonly mirror: Mirror;
}

/** Values of the settings that older files lack. */
const DEFAULTS = { windowWeights: "uniform", mirror: "" } satisfies Partial<ModelInfo>;

/** Version of the weights file's metadata. */
export const WEIGHTS_FORMAT = "voxgrad-1";

/** Metadata of a weights file. */
export function weightsMetadata(info: ModelInfo): Record<string, string> {
  return { format: WEIGHTS_FORMAT, model: JSON.stringify(info) };
}

export interface LoadedWeights {
  readonly info: ModelInfo;
  readonly flat: Float32Array;
  /** What each threshold gave on its validation patients, where training has ended with that. */
  readonly sweeps?: readonly PatientSweep[];
}

/**
 * The model in the contents of a weights file; `file` is only named in messages.
 * @throws UserError when it is not one of voxgrad's
 */
export function weightsOf({ tensors, metadata }: Safetensors, file: string): LoadedWeights {
  if (metadata.format !== WEIGHTS_FORMAT || !metadata.model) {
    throw new UserError(
      `${file}: its metadata names no voxgrad model (format ${metadata.format ?? "missing"}, ` +
        `expected ${WEIGHTS_FORMAT}); give a weights file that \`bun run train\` wrote`,
    );
  }
  const info: ModelInfo = { ...DEFAULTS, ...JSON.parse(metadata.model) };
  const flat = fromNamed(unetParameters(info.unet), tensors, file);
  return { info, flat, sweeps: storedSweeps(metadata) };
}

/** U-Net and sigmoid. */
export function unetNetwork(params: ParameterTensors, config: UNetConfig): Network {
  return (g, x) => g.apply(sigmoid, { x: unet3d(g, params, x, config) }, {}).y!;
}
