/**
 * Checkpoints: a state file with all that a resumed run needs, and for inference and other programs a
 * weights file with w̄ and one with w (exactly the model's tensors, names as in a plain
 * torch.nn.Module).
 */
import { existsSync } from "node:fs";
import { z } from "zod";
import { UserError } from "../core/errors";
import { countNotFinite } from "../core/finite";
import { parseJson } from "../core/json";
import { elements, type Tensor } from "../core/tensor";
import type { Safetensors, StoredTensor } from "../data/safetensors";
import { readSafetensors, writeSafetensors } from "../data/safetensors_file";
import type { Memory } from "../gpu/memory";
import { type ModelInfo, modelOf, notesOf, versionOf } from "../infer/model_info";
import { fromNamed, type ParameterSpec, toNamed } from "../nn/parameters";
import type { FlatParameters } from "../nn/weights";
import type { TrainState } from "../train/state";
import { type CheckpointPaths, checkpointPaths } from "./run_folder";
import {
  type CheckpointMark,
  diceSchema,
  iterationSchema,
  MARK,
  markSchema,
  networkTensors,
  trainedMetadata,
} from "./trained_weights";

/** Names in the state file beside m, v and scale, and the prefixes of both networks' parameters. */
const LOG = "log";
const EARLIER = "w_earlier";
const [MOMENTUM, STUDENT] = ["w_momentum.", "w."] as const;

const progressSchema = z.strictObject({
  /** Iterations finished. */
  iteration: iterationSchema,
  /** Training time, seconds. */
  seconds: z.number().min(0),
  /** The iteration of the last report: the next one averages from there on. Absent: this one. */
  reported: iterationSchema.optional(),
  /** Validation Dice of w̄, where this is the best checkpoint and patients have lesions. */
  dice: diceSchema,
  /** In runs of earlier versions, whose best weights do not hold their own; −1: none yet. */
  bestDice: z.number().min(-1).max(1).optional(),
});

/** The progress of a run. */
export type Progress = Readonly<z.output<typeof progressSchema>>;

/**
 * Writes a checkpoint. It is there at the moment at which its state file gets its name: a run goes on
 * from that one alone. A crash after that moment leaves weights files that are one checkpoint older.
 * @param further entries of the metadata of all three files
 * @throws UserError when a value is not finite, before anything is written over a good checkpoint
 */
export async function saveCheckpoint(
  memory: Memory,
  train: TrainState,
  specs: readonly ParameterSpec[],
  info: ModelInfo,
  progress: Progress,
  paths: CheckpointPaths,
  further: Readonly<Record<string, string>> = {},
): Promise<void> {
  const state = new Map<string, StoredTensor>();
  const read = async (t: Tensor) => finite(await memory.readF32(t), t.name, progress, paths);
  for (const [name, t] of kept(train)) {
    // Where a step of f16 was skipped, its loss may be infinite.
    const data = name === LOG ? await memory.readF32(t) : await read(t);
    state.set(name, { shape: t.shape, data });
  }
  const named = async (prefix: string, { flat }: FlatParameters) => {
    const values = await read(flat);
    for (const [name, t] of toNamed(specs, values)) state.set(`${prefix}${name}`, t);
    return networkTensors(specs, values);
  };
  const weights = await named(MOMENTUM, train.momentum);
  const student = await named(STUDENT, train.student);
  const { iteration, dice } = progress;
  const metadata = trainedMetadata(info, { iteration, dice }, further);
  const about = { ...metadata, progress: JSON.stringify(progress) };
  writeSafetensors(
    { path: paths.state, tensors: state, metadata: about },
    { path: paths.weights, tensors: weights, metadata },
    { path: paths.student, tensors: student, metadata },
  );
}

/** By name in the state file: what training keeps beside the parameters of its two networks. */
function kept({ m, v, scale, log, earlier }: TrainState): [name: string, t: Tensor][] {
  const all = { m, v, scale, [LOG]: log, [EARLIER]: earlier?.flat };
  return Object.entries(all).flatMap(([name, t]) => (t ? [[name, t]] : []));
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

/**
 * The last checkpoint of a run; undefined before its first.
 * @throws UserError where there was one, and what a run goes on from is gone
 */
export function lastCheckpoint(run: { path: string }): CheckpointPaths | undefined {
  const [last, best] = [checkpointPaths(run, "last"), checkpointPaths(run, "best")];
  if (existsSync(last.state)) return last;
  const left = [last.weights, last.student, best.state, best.weights].find((f) => existsSync(f));
  if (left === undefined) return undefined;
  throw new UserError(
    `${last.state}: is missing, though the run has saved ${left}; restore it, or start a new run by ` +
      "another --out",
  );
}

/** Iterations of the last checkpoint of a run; 0 before its first. @throws UserError as above */
export function savedIteration(run: { path: string }): number {
  const paths = lastCheckpoint(run);
  if (!paths) return 0;
  return progressOf(readSafetensors(paths.state).metadata, paths.state).iteration;
}

/** The moment and the score of a run's best weights; undefined where there are none. */
export function bestMark(run: { path: string }): CheckpointMark | undefined {
  const { weights: path } = checkpointPaths(run, "best");
  if (!existsSync(path)) return undefined;
  const mark = readSafetensors(path).metadata[MARK];
  if (mark === undefined) return undefined; // an earlier version wrote it
  return parseJson(mark, markSchema, `${path}: its ${MARK}`, "the file is damaged: restore it");
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
  const version = versionOf(contents, paths.state);
  for (const note of notesOf(version, paths.state)) onNote?.(note);
  modelOf(metadata, version, paths.state);
  const progress = progressOf(metadata, paths.state);
  const momentum = parametersOf(contents, MOMENTUM, specs, paths.state, paths.weights);
  memory.write(train.momentum.flat, momentum);
  memory.write(
    train.student.flat,
    parametersOf(contents, STUDENT, specs, paths.state, paths.student),
  );
  for (const [name, t] of kept(train)) {
    const isNew = name === LOG || name === EARLIER; // later than the first versions
    if (isNew && !tensors.has(name)) continue;
    const data = tensors.get(name)?.data;
    const fits = data instanceof Float32Array && data.length === elements(t.shape);
    if (!fits || (name !== LOG && countNotFinite(data) > 0)) {
      throw new UserError(
        `${paths.state}: tensor ${name} does not fit this model, or is not finite; start a new run`,
      );
    }
    memory.write(t, data);
  }
  if (train.earlier && !tensors.has(EARLIER)) memory.write(train.earlier.flat, momentum);
  // Without the log, what came before cannot be reported.
  return { ...progress, reported: tensors.has(LOG) ? progress.reported : progress.iteration };
}

function progressOf({ progress }: Safetensors["metadata"], file: string): Progress {
  const what = `${file}: how far the run has come`;
  const remedy = "the file is damaged: start a new run";
  const found = parseJson(progress ?? "{}", progressSchema, what, remedy);
  const { iteration, reported = iteration } = found;
  if (reported <= iteration) return found;
  throw new UserError(`${what}: its report ${reported} is after iteration ${iteration}; ${remedy}`);
}

/**
 * The parameters of one network, in the flat layout. In checkpoints of earlier versions the network's
 * own lie in the weights file alone.
 */
function parametersOf(
  { tensors }: Safetensors,
  prefix: string,
  specs: readonly ParameterSpec[],
  state: string,
  weights: string,
): Float32Array {
  const stored = new Map<string, StoredTensor>();
  for (const [name, t] of tensors) {
    if (name.startsWith(prefix)) stored.set(name.slice(prefix.length), t);
  }
  if (stored.has(specs[0]!.name)) return fromNamed(specs, stored, state);
  const contents = readSafetensors(weights);
  modelOf(contents.metadata, versionOf(contents, weights), weights);
  return fromNamed(specs, new Map([...contents.tensors, ...stored]), weights);
}
