/** The contents of the weights files of a training. A page may import it: nothing here knows of files. */
import { z } from "zod";
import type { Safetensors, StoredTensor } from "../data/safetensors";
import { type ModelInfo, weightsMetadata } from "../infer/model_info";
import { type ParameterSpec, toNamed } from "../nn/parameters";
import type { TrainConfig } from "../settings/config";
import { unetConfig } from "../train/state";

/** The settings that a weights file of this run carries. */
export function modelInfo(config: TrainConfig): ModelInfo {
  const { spacing, patch, stride, normalisation, difference, windowWeights, mirror, bias } = config;
  const windows = { patch, stride, windowWeights, mirror, bias };
  return { unet: unetConfig(config), spacing, normalisation, difference, ...windows };
}

export const iterationSchema = z
  .number()
  .int()
  .min(0)
  .max(2 ** 32);
/** Of the validation, where patients have lesions. */
export const diceSchema = z.number().min(0).max(1).optional();

/** The moment and the score of a checkpoint, in the metadata of each of its files. */
export const markSchema = z.strictObject({ iteration: iterationSchema, dice: diceSchema });
export type CheckpointMark = Readonly<z.output<typeof markSchema>>;
/** Its name there. */
export const MARK = "checkpoint";

/** The metadata of a weights file. @param further entries, such as where the weights come from */
export function trainedMetadata(
  info: ModelInfo,
  mark: CheckpointMark,
  further: Readonly<Record<string, string>>,
): Record<string, string> {
  return { ...weightsMetadata(info), ...further, [MARK]: JSON.stringify(mark) };
}

/** The tensors of a weights file: the network's own, without what exists in training alone. */
export function networkTensors(
  specs: readonly ParameterSpec[],
  flat: Float32Array,
): Map<string, StoredTensor> {
  const all = toNamed(specs, flat);
  const network = specs.filter((spec) => !spec.trainingOnly);
  return new Map(network.map(({ name }) => [name, all.get(name)!]));
}

/** A weights file as a training writes it. @param flat its parameters, by `specs` */
export function trainedWeights(
  specs: readonly ParameterSpec[],
  flat: Float32Array,
  config: TrainConfig,
  mark: CheckpointMark,
  further: Readonly<Record<string, string>>,
): Safetensors {
  const metadata = trainedMetadata(modelInfo(config), mark, further);
  return { tensors: networkTensors(specs, flat), metadata };
}
