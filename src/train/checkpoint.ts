/**
 * Checkpoints: a weights file with w̄ and one with w (exactly the model's tensors, names as in a
 * plain torch.nn.Module), and a state file with what else a resumed run needs.
 */
import { UserError } from "../core/errors";
import { readSafetensors, type StoredTensor, writeSafetensors } from "../data/safetensors";
import type { Memory } from "../gpu/memory";
import { type ModelInfo, weightsMetadata } from "../infer/model";
import { fromNamed, type ParameterSpec, toNamed } from "../nn/parameters";
import type { TrainConfig } from "./config";
import { type TrainState, unetConfig } from "./iteration";
import type { CheckpointPaths } from "./run_folder";

/** What a weights file of this run says of itself. */
export function modelInfo(config: TrainConfig): ModelInfo {
  const { spacing, patch, stride, normalisation, difference } = config;
  return { unet: unetConfig(config), spacing, patch, stride, normalisation, difference };
}

/** How far a run has come. */
export interface Progress {
  /** Iterations finished. */
  readonly iteration: number;
  /** Training time, seconds. */
  readonly seconds: number;
  /** Best validation Dice so far (w̄); −1 before the first validation. */
  readonly bestDice: number;
}

/** Writes all three files of a checkpoint, each atomically. */
export async function saveCheckpoint(
  memory: Memory,
  train: TrainState,
  specs: readonly ParameterSpec[],
  info: ModelInfo,
  progress: Progress,
  paths: CheckpointPaths,
): Promise<void> {
  const metadata = weightsMetadata(info);
  const named = async (t: TrainState["m"]) => toNamed(specs, await memory.readF32(t));
  const flat = async (t: TrainState["m"]): Promise<StoredTensor> => ({
    shape: t.shape,
    data: await memory.readF32(t),
  });
  const state = new Map([
    ["m", await flat(train.m)],
    ["v", await flat(train.v)],
  ]);
  if (train.scale) state.set("scale", await flat(train.scale));
  const weights = { path: paths.weights, tensors: await named(train.momentum.flat), metadata };
  const student = { path: paths.student, tensors: await named(train.student.flat), metadata };
  const about = { ...metadata, progress: JSON.stringify(progress) };
  writeSafetensors(weights, student, { path: paths.state, tensors: state, metadata: about });
}

/** Loads a checkpoint into `train`. @throws UserError when a file does not fit the model */
export function loadCheckpoint(
  memory: Memory,
  train: TrainState,
  specs: readonly ParameterSpec[],
  paths: CheckpointPaths,
): Progress {
  for (const [path, { flat }] of [
    [paths.weights, train.momentum],
    [paths.student, train.student],
  ] as const) {
    memory.write(flat, fromNamed(specs, readSafetensors(path).tensors, path));
  }
  const { tensors, metadata } = readSafetensors(paths.state);
  for (const name of ["m", "v", "scale"] as const) {
    const t = train[name];
    if (!t) continue;
    const data = tensors.get(name)?.data;
    if (!(data instanceof Float32Array) || data.length !== t.shape[0]) {
      throw new UserError(
        `${paths.state}: tensor ${name} does not fit this model; start a new run`,
      );
    }
    memory.write(t, data);
  }
  return JSON.parse(metadata.progress ?? "{}") as Progress;
}
