/**
 * Checkpoints: a weights file with w̄ and one with w (exactly the model's tensors, names as in a
 * plain torch.nn.Module), and a state file with what else a resumed run needs.
 */
import { z } from "zod";
import { UserError } from "../core/errors";
import { countNotFinite } from "../core/finite";
import { parseJson } from "../core/json";
import type { Tensor } from "../core/tensor";
import type { StoredTensor } from "../data/safetensors";
import { readSafetensors, writeSafetensors } from "../data/safetensors_file";
import type { Memory } from "../gpu/memory";
import { type ModelInfo, modelOf, notesOf, versionOf, weightsMetadata } from "../infer/model_info";
import { fromNamed, layout, type ParameterSpec, toNamed } from "../nn/parameters";
import type { FlatParameters } from "../nn/weights";
import type { TrainConfig } from "../settings/config";
import { type TrainState, unetConfig } from "../train/state";
import type { CheckpointPaths } from "./run_folder";

/** The settings that a weights file of this run carries. */
export function modelInfo(config: TrainConfig): ModelInfo {
  const { spacing, patch, stride, normalisation, difference, windowWeights, mirror } = config;
  const windows = { patch, stride, windowWeights, mirror };
  return { unet: unetConfig(config), spacing, normalisation, difference, ...windows };
}

const progressSchema = z.strictObject({
  /** Iterations finished. */
  iteration: z.number().int().min(0),
  /** Training time, seconds. */
  seconds: z.number().min(0),
  /** Best validation Dice so far (w̄); −1 before the first validation. */
  bestDice: z.number().min(-1).max(1),
});

/** The progress of a run. */
export type Progress = Readonly<z.output<typeof progressSchema>>;

/**
 * Writes all three files of a checkpoint, each atomically.
 * @throws UserError when a value is not finite, before anything is written over a good checkpoint
 */
export async function saveCheckpoint(
  memory: Memory,
  train: TrainState,
  specs: readonly ParameterSpec[],
  info: ModelInfo,
  progress: Progress,
  paths: CheckpointPaths,
): Promise<void> {
  const metadata = weightsMetadata(info);
  const { network, heads, end } = parts(specs);
  const read = async (t: Tensor) => finite(await memory.readF32(t), t.name, progress, paths);
  const flat = async (t: Tensor): Promise<StoredTensor> => ({
    shape: t.shape,
    data: await read(t),
  });
  const state = new Map([
    ["m", await flat(train.m)],
    ["v", await flat(train.v)],
  ]);
  if (train.scale) state.set("scale", await flat(train.scale));
  const named = async (prefix: string, { flat }: FlatParameters) => {
    const data = await read(flat);
    for (const [name, t] of toNamed(heads, data.subarray(end))) state.set(`${prefix}.${name}`, t);
    return toNamed(network, data.subarray(0, end));
  };
  const weights = { path: paths.weights, tensors: await named("w_momentum", train.momentum) };
  const student = { path: paths.student, tensors: await named("w", train.student) };
  const about = { ...metadata, progress: JSON.stringify(progress) };
  writeSafetensors(
    { ...weights, metadata },
    { ...student, metadata },
    { path: paths.state, tensors: state, metadata: about },
  );
}

/** The kernels' ReLU hides NaN: weights may be lost while the loss is a number still. */
function finite(
  data: Float32Array,
  name: string,
  { iteration }: Progress,
  { weights }: CheckpointPaths,
): Float32Array {
  const bad = countNotFinite(data);
  if (bad === 0) return data;
  throw new UserError(
    `${bad} of ${data.length} values of ${name} are NaN or infinite at iteration ${iteration}: training ` +
      `diverged; lower --learning-rate; ${weights} is left as it was`,
  );
}

/** The tensors of a weights file, those of the state file, and their start in the flat buffer. */
function parts(specs: readonly ParameterSpec[]) {
  const network = specs.filter((spec) => !spec.trainingOnly);
  return { network, heads: specs.slice(network.length), end: layout(network).total };
}

/**
 * Loads a checkpoint into `train`.
 * @param onNote gets lines for the user
 * @throws UserError when a file is damaged or does not fit the model
 */
export function loadCheckpoint(
  memory: Memory,
  train: TrainState,
  specs: readonly ParameterSpec[],
  paths: CheckpointPaths,
  onNote?: (line: string) => void,
): Progress {
  const contents = readSafetensors(paths.state);
  const { tensors, metadata } = contents;
  for (const note of notesOf(versionOf(contents, paths.state), paths.state)) onNote?.(note);
  const remedy = "the file is damaged: start a new run";
  const what = `${paths.state}: how far the run has come`;
  const progress = parseJson(metadata.progress ?? "{}", progressSchema, what, remedy);
  const { network, heads, end } = parts(specs);
  for (const [path, prefix, { flat }] of [
    [paths.weights, "w_momentum", train.momentum],
    [paths.student, "w", train.student],
  ] as const) {
    const values = new Float32Array(flat.shape[0]!);
    const weights = readSafetensors(path);
    modelOf(weights.metadata, versionOf(weights, path), path);
    values.set(fromNamed(network, weights.tensors, path));
    const stored = heads.flatMap(({ name }) => {
      const t = tensors.get(`${prefix}.${name}`);
      return t ? [[name, t] as const] : [];
    });
    values.set(fromNamed(heads, new Map(stored), paths.state), end);
    memory.write(flat, values);
  }
  for (const name of ["m", "v", "scale"] as const) {
    const t = train[name];
    if (!t) continue;
    const data = tensors.get(name)?.data;
    if (!(data instanceof Float32Array) || data.length !== t.shape[0] || countNotFinite(data) > 0) {
      throw new UserError(
        `${paths.state}: tensor ${name} does not fit this model, or is not finite; start a new run`,
      );
    }
    memory.write(t, data);
  }
  return progress;
}
