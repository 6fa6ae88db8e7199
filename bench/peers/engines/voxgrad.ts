/** voxgrad itself, in a process of its own like every engine; all others are compared with it. */

import { conv3d } from "../../../kernels/conv3d/conv3d";
import { add } from "../../../kernels/elementwise/add";
import { fill } from "../../../kernels/elementwise/fill";
import { dice, patchLoss } from "../../../kernels/loss/patch_loss";
import { adam } from "../../../kernels/optimiser/adam";
import { iterationPicks } from "../../../src/choose/iteration_kernels";
import type { Graph } from "../../../src/core/graph";
import { type Precision, state, type Tensor } from "../../../src/core/tensor";
import type { Choices } from "../../../src/core/variant";
import type { StoredTensor } from "../../../src/data/safetensors";
import { VolumeStore } from "../../../src/data/volume_store";
import { capabilities, graphFor } from "../../../src/gpu/capabilities";
import { Memory } from "../../../src/gpu/memory";
import { Program } from "../../../src/gpu/program";
import { openDevice } from "../../../src/hosts/bun";
import { fromNamed, toNamed, unetParameters } from "../../../src/nn/parameters";
import { unet3d } from "../../../src/nn/unet3d";
import { type FlatParameters, flatParameters } from "../../../src/nn/weights";
import { tuneAtTerminal } from "../../../src/run/terminal_observer";
import { makeTrainConfig } from "../../../src/settings/presets";
import { ADAM, STEP_SIZE, stepValues } from "../../../src/train/schedule";
import { LOG_COLUMNS, unetConfig } from "../../../src/train/state";
import { Trainer } from "../../../src/train/trainer";
import type { TuneMode } from "../../../src/tune/policy";
import { type Engine, floats, type Job, refuse, serve, type Tensors, weightsOf } from "../engine";
import { noiseVolume, SEED } from "../inputs";
import type { ConvWork, IterationWork, NetworkWork } from "../works";

const [, , adapter = "", tune = "auto", tuneSeconds = "60"] = process.argv;
const flags = { tune: tune as TuneMode, tuneSeconds: Number(tuneSeconds) };
const device = await openDevice({ adapter, quiet: true }).catch(refuse);
const config = makeTrainConfig("paper", { seed: SEED });
const specs = unetParameters(unetConfig(config));

/** The recording of a work: a graph, and the states that it reads. */
class Recording {
  readonly memory = new Memory(device);
  readonly graph: Graph;
  private readonly states: Tensor[] = [];
  private readonly uploads: (() => void)[] = [];

  constructor(choices?: Choices) {
    this.graph = graphFor(device, { choices });
  }

  state(name: string, shape: readonly number[], data?: Float32Array): Tensor {
    const t = state(name, shape);
    this.states.push(t);
    if (data) this.uploads.push(() => this.memory.write(t, data));
    return t;
  }

  input(inputs: Tensors, name: string): Tensor {
    const { shape, data } = floats(inputs, name);
    return this.state(name, shape, data);
  }

  parameters(inputs: Tensors): FlatParameters {
    const params = flatParameters("w", specs);
    const named = new Map(weightsOf(inputs).map(({ name, ...tensor }) => [name, tensor]));
    const flat = fromNamed(specs, named, "inputs");
    this.uploads.push(() => this.memory.write(params.flat, flat));
    this.states.push(params.flat);
    return params;
  }

  compile(name: string, keep: readonly Tensor[]): Promise<Program> {
    for (const upload of this.uploads) upload();
    return Program.compile(this.memory, this.graph, name, keep);
  }

  async read(t: Tensor, program?: Program): Promise<StoredTensor> {
    return { shape: t.shape, data: await this.memory.readF32(t, program?.bufferOf(t)) };
  }

  release(program: Program): void {
    program.destroy();
    for (const t of this.states) this.memory.release(t);
  }
}

/** Records with the kernels that the tuner chooses, or has chosen: as the commands do. */
async function tuned<T>(record: (r: Recording) => T): Promise<{ recording: Recording } & T> {
  const probe = new Recording(); // uploads nothing
  record(probe);
  const { choices } = await tuneAtTerminal(device, { picks: probe.graph.picks, models: [] }, flags);
  const recording = new Recording(choices.kernels);
  return { recording, ...record(recording) };
}

/** A job that replays `program`, with `before` ahead of each run. */
function replay(
  recording: Recording,
  program: Program,
  outputs: Tensors,
  before?: () => void,
): Job {
  return {
    outputs,
    memory: () => ({ peak: recording.memory.allocatedBytes }),
    release: () => recording.release(program),
    async run(count) {
      for (let i = 0; i < count; i++) {
        before?.();
        program.run();
      }
      await device.idle();
    },
  };
}

async function conv({ backward }: ConvWork, inputs: Tensors): Promise<Job> {
  const { recording, y, dx, dw } = await tuned((r) => {
    const { graph: g } = r;
    const [x, w] = [r.input(inputs, "x"), r.input(inputs, "w")];
    const b = r.state("b", [w.shape[0]!]);
    const [dx, dw] = [r.state("dx", x.shape), r.state("dw", w.shape)];
    if (backward) {
      g.watch(x, dx);
      g.watch(w, dw);
    }
    const y = g.apply(conv3d, { x, w, b }, {}).y!;
    if (backward) g.backward(new Map([[y, r.input(inputs, "dy")]]), add);
    return { y, dx, dw };
  });
  const program = await recording.compile("conv", [y]);
  program.run();
  const outputs = new Map([["y", await recording.read(y, program)]]);
  if (backward) for (const t of [dx, dw]) outputs.set(t.name, await recording.read(t));
  return replay(recording, program, outputs);
}

async function forward(inputs: Tensors): Promise<Job> {
  const { recording, logits } = await tuned((r) => {
    const { named } = r.parameters(inputs);
    return { logits: unet3d(r.graph, named, r.input(inputs, "x"), unetConfig(config)) };
  });
  const program = await recording.compile("forward", [logits]);
  program.run();
  const outputs = new Map([["logits", await recording.read(logits, program)]]);
  return replay(recording, program, outputs);
}

/** Forward, loss, backward, Adam. */
function recordStep(r: Recording, inputs: Tensors, patches: number) {
  const { graph: g } = r;
  const params = r.parameters(inputs);
  const gradient = flatParameters("gradient", specs);
  const total = params.flat.shape;
  for (const [name, w] of params.named) g.watch(w, gradient.named.get(name)!);
  const logits = unet3d(g, params.named, r.input(inputs, "x"), unetConfig(config));
  const target = r.input(inputs, "y");
  const { loss } = g.apply(patchLoss, { logits, target }, dice(config.diceEpsilon));
  const seed = g.noGrad(() => g.apply(fill, {}, { shape: [patches], value: 1 / patches }).y!);
  g.backward(new Map([[loss!, seed]]), add);
  const step = r.state("step", [STEP_SIZE]);
  const [m, v, average] = ["m", "v", "average"].map((name) => r.state(name, total));
  const { beta1, beta2, epsilon: eps } = ADAM;
  const update = { w: params.flat, g: gradient.flat, m: m!, v: v!, average: average!, step };
  g.apply(adam, update, { beta1, beta2, eps });
  return { gradient, loss: loss!, step };
}

async function step({ patches }: NetworkWork, inputs: Tensors): Promise<Job> {
  const { recording, gradient, loss, step } = await tuned((r) => recordStep(r, inputs, patches));
  const program = await recording.compile("step", [loss]);
  const { memory } = recording;
  let t = 0;
  const before = () => memory.write(step, stepValues(t++, config.learningRate, 0, 0));
  before();
  program.run();
  const outputs = new Map([["loss1", await recording.read(loss, program)]]);
  const gradients = toNamed(specs, await memory.readF32(gradient.flat));
  for (const [name, tensor] of gradients) outputs.set(`gradient/${name}`, tensor);
  before();
  program.run();
  outputs.set("loss2", await recording.read(loss, program));
  return replay(recording, program, outputs, before);
}

async function iteration({ pool, batch }: IterationWork, precision: Precision): Promise<Job> {
  const memory = new Memory(device);
  const settings = makeTrainConfig("paper", { pool, batch, seed: SEED, precision });
  const picks = iterationPicks(capabilities(device), settings);
  const { choices } = await tuneAtTerminal(device, { picks, models: [] }, flags);
  const stored = { half: false, budget: 2 ** 30, patch: settings.patch };
  const store = VolumeStore.create(memory, [noiseVolume()], stored);
  const trainer = await Trainer.create(memory, store, settings, { kernels: choices.kernels });
  const run = async (count: number) => {
    for (let i = 0; i < count; i++) await trainer.step(0);
    await trainer.drain();
  };
  await run(2);
  const log = await memory.readF32(trainer.state.log);
  const column = (at: number): StoredTensor => ({
    shape: [2],
    data: Float32Array.of(log[at]!, log[LOG_COLUMNS + at]!),
  });
  const outputs = new Map([
    ["loss", column(0)],
    ["pool_error", column(2)],
  ]);
  return {
    outputs,
    run,
    memory: () => ({ peak: memory.allocatedBytes }),
    release() {
      trainer.release();
      store.release();
    },
  };
}

/** The variants measured beside the float32 that everything is compared with. */
const F16 = "--precision f16";

const engine: Engine = {
  version: `voxgrad on ${device.info.name}`,
  variants: [{ name: F16, reduced: true, kinds: ["iteration"] }],
  async prepare(work, inputs, variant) {
    if (variant === F16 && !device.features.has("shader-f16")) return "no shader-f16 here";
    if (work.kind === "conv") return conv(work, inputs);
    if (work.kind === "iteration") return iteration(work, variant === F16 ? "f16" : "f32");
    return work.training ? step(work, inputs) : forward(inputs);
  },
};

await serve(async () => engine);
