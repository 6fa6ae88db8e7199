/** Prepares the work that users wait for, to be run repeatedly: a forward pass, a step, a volume. */
import { storagesOf } from "../src/core/graph";
import { state } from "../src/core/tensor";
import type { Choices } from "../src/core/variant";
import type { VolumeSource } from "../src/data/volume_store";
import { VolumeStore } from "../src/data/volume_store";
import { capabilities, graphFor } from "../src/gpu/capabilities";
import type { Device } from "../src/gpu/device";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { unetNetwork } from "../src/infer/model";
import { predictVolume } from "../src/infer/sliding_window";
import { initialise, unetParameters } from "../src/nn/parameters";
import { patchesPerDispatch, unet3d } from "../src/nn/unet3d";
import { flatParameters } from "../src/nn/weights";
import type { TrainConfig } from "../src/settings/config";
import { chunksFor } from "../src/train/chunk";
import { sampleCount, unetConfig } from "../src/train/state";
import { Trainer } from "../src/train/trainer";
import { cube } from "./noise";
import { RecordingMemory } from "./record";

export interface StepWork {
  readonly memory: Memory;
  /** Patches that go through the network. */
  readonly patches: number;
  /** Submits everything; the host's part. It may wait where the real thing does. */
  readonly submit: () => Promise<void>;
  /** Programs that one step runs, and how often; known once it has run. */
  readonly programs: () => ReadonlyMap<Program, number>;
  /** Those programs are still there after a run. */
  readonly keepsPrograms: boolean;
  /** Bytes of all buffers at once. */
  readonly allocatedBytes: () => number;
  readonly release: () => void;
}

/** Edge of the volume that patches are cut from, voxels. */
const VOLUME = 64;

/** A trainer on one volume: an iteration, or with the uniform sampler a plain step. */
export async function trainingStep(
  device: Device,
  config: TrainConfig,
  kernels?: Choices,
  source = cube(VOLUME),
): Promise<StepWork> {
  const memory = new Memory(device);
  const half = config.volumePrecision === "f16";
  const store = VolumeStore.create(memory, [source], {
    half,
    budget: 2 ** 30,
    patch: config.patch,
  });
  const trainer = await Trainer.create(memory, store, config, { kernels });
  const runs = new Map([[trainer.program, 1]]);
  return {
    memory,
    patches: config.batch + (config.sampler === "ohem" ? sampleCount(config) : 0),
    submit: () => trainer.step(0),
    programs: () => runs,
    keepsPrograms: true,
    allocatedBytes: () => memory.allocatedBytes,
    release() {
      trainer.release();
      store.release();
    },
  };
}

/** Logits of `count` patches, in as many dispatches as training would use. */
export async function forwardPass(
  device: Device,
  config: TrainConfig,
  count: number,
  kernels?: Choices,
): Promise<StepWork> {
  const memory = new Memory(device);
  const caps = capabilities(device);
  const unet = unetConfig(config);
  const specs = unetParameters(unet);
  const { flat, named } = flatParameters("w", specs);
  memory.write(flat, initialise(specs, 0));
  const { patch, precision } = config;
  const wanted = Math.min(chunksFor(config, caps).ranked, count);
  const most = patchesPerDispatch(unet, patch, caps.maxBindingBytes, wanted, precision);
  const x = state("patches", [most, unet.inChannels, patch, patch, patch], precision);
  const g = graphFor(device, { choices: kernels });
  const chunks = Math.ceil(count / most);
  g.noGrad(() => {
    for (let i = 0; i < chunks; i++) unet3d(g, named, x, unet);
  });
  const program = await Program.compile(memory, g, "forward");
  const runs = new Map([[program, 1]]);
  return {
    memory,
    patches: chunks * most,
    submit: async () => program.run(),
    programs: () => runs,
    keepsPrograms: true,
    allocatedBytes: () => memory.allocatedBytes,
    release() {
      program.destroy();
      for (const t of [flat, x]) memory.release(t);
    },
  };
}

/** The probabilities of a cube of noise, as `predict` computes them. */
export function slidingWindows(
  device: Device,
  config: TrainConfig,
  source: VolumeSource,
  batch: number,
  kernels?: Choices,
): StepWork {
  const memory = new RecordingMemory(device);
  const unet = unetConfig(config);
  const specs = unetParameters(unet);
  const { flat, named } = flatParameters("w", specs);
  memory.write(flat, initialise(specs, 0));
  const { patch, stride, precision } = config;
  let most = 0;
  let patches = 0;
  const onProgress = (_done: number, total: number) => {
    patches = total;
    most = Math.max(most, memory.allocatedBytes);
  };
  return {
    memory,
    get patches() {
      return patches;
    },
    async submit() {
      const options = { patch, stride, batch, precision, kernels, onProgress };
      await memory.record(() => predictVolume(memory, unetNetwork(named, unet), source, options));
    },
    programs: () => memory.runs,
    keepsPrograms: false,
    allocatedBytes: () => most,
    release() {
      const dispatches = [...memory.runs.keys()].flatMap((program) => program.dispatches);
      for (const t of storagesOf(dispatches)) memory.release(t);
      memory.dispose();
    },
  };
}
