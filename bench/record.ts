/**
 * The programs that training and inference really run, as lists of dispatches. A new or fused kernel
 * is in them, and so in the benchmarks, without a line of its own.
 */
import type { Dispatch, GraphOptions } from "../src/core/graph";
import type { Tensor } from "../src/core/tensor";
import type { Choices } from "../src/core/variant";
import { preparePair } from "../src/data/preprocess";
import type { Volume } from "../src/data/volume";
import { VolumeStore } from "../src/data/volume_store";
import { graphFor } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { unetNetwork } from "../src/infer/model";
import { predictVolume } from "../src/infer/sliding_window";
import { unetParameters } from "../src/nn/parameters";
import { flatParameters } from "../src/nn/weights";
import type { TrainConfig } from "../src/settings/config";
import { recordIteration } from "../src/train/iteration";
import { makeTrainState, trainedParameters, unetConfig } from "../src/train/state";
import { cube } from "./noise";

export interface Recording {
  readonly name: string;
  readonly dispatches: readonly Dispatch[];
  /** It has run, so the driver may have compiled its kernels. */
  readonly hasRun: boolean;
}

/** A memory that can remember which programs ran on it, how often, and the tables they read. */
export class RecordingMemory extends Memory {
  /** Runs of each program, in order of compilation. */
  readonly runs = new Map<Program, number>();
  private readonly kept: Tensor[] = [];
  private recording = false;

  override async checked<T>(what: string, make: () => T): Promise<T> {
    const made = await super.checked(what, make);
    if (made instanceof Program && this.recording) this.count(made);
    return made;
  }

  private count(program: Program): void {
    const run = program.run.bind(program);
    this.runs.set(program, 0);
    program.run = () => {
      this.runs.set(program, this.runs.get(program)! + 1);
      run();
    };
  }

  /** Remembers what `run` does, and nothing from before. */
  async record(run: () => Promise<unknown>): Promise<void> {
    this.dispose();
    this.runs.clear();
    this.recording = true;
    try {
      await run();
    } finally {
      this.recording = false;
    }
  }

  /** Zeros instead of tables and positions would send kernels elsewhere than in real runs. */
  override release(t: Tensor): void {
    if (this.recording && t.dtype !== "f32") this.kept.push(t);
    else super.release(t);
  }

  /** Releases the tables of the last recording. */
  dispose(): void {
    for (const t of this.kept.splice(0)) super.release(t);
  }
}

const VOLUME = 64;

/** One iteration of Algorithm 1, as the trainer records it; nothing is compiled. */
export async function recordTraining(
  memory: Memory,
  config: TrainConfig,
  graph: GraphOptions,
): Promise<Recording> {
  const options = { half: config.volumePrecision === "f16", budget: 2 ** 30, patch: config.patch };
  const store = VolumeStore.create(memory, [cube(VOLUME)], options);
  await store.rotateTo(0);
  const train = makeTrainState(trainedParameters(config), config);
  const g = graphFor(memory.device, graph);
  recordIteration(g, memory, store, train, config);
  return { name: `${config.preset} iteration`, dispatches: g.dispatches, hasRun: false };
}

/** All that ran on a memory, each program once. */
function recorded(memory: RecordingMemory, name: string): Recording {
  const dispatches = [...memory.runs.keys()].flatMap((program) => program.dispatches);
  return { name, dispatches, hasRun: true };
}

/** A sliding-window prediction. Its windows are constant, so that the network runs just once. */
export async function recordWindows(
  memory: RecordingMemory,
  config: TrainConfig,
  batch: number,
  kernels?: Choices,
): Promise<Recording> {
  const unet = unetConfig(config);
  const { named } = flatParameters("w", unetParameters(unet));
  const { patch, stride } = config;
  const source = cube(VOLUME, true);
  await memory.record(() =>
    predictVolume(memory, unetNetwork(named, unet), source, { patch, stride, batch, kernels }),
  );
  return recorded(memory, `${config.preset} windows`);
}

/** Resampling and normalisation of a pair of slices twice as thick as they are wide. */
export async function recordPreparation(memory: RecordingMemory): Promise<Recording> {
  const [nx, ny, nz] = [128, 128, 64] as const;
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1];
  const data = Float32Array.from({ length: nx * ny * nz }, (_, i) => i % 97);
  const image: Volume = { size: [nx, ny, nz], affine, data };
  const options = { spacing: 1, normalisation: "volume" } as const;
  const pair = { time1: image, time2: image };
  await memory.record(() => preparePair(memory, pair, ["1", "2"], options));
  return recorded(memory, "preparation");
}
