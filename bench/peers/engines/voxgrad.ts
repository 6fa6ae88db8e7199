/** voxgrad itself, in a process of its own like every other engine: what the others are compared with. */
import { adam } from "../../../kernels/adam";
import { add } from "../../../kernels/add";
import { conv3d } from "../../../kernels/conv3d";
import { diceLoss } from "../../../kernels/dice_loss";
import { fill } from "../../../kernels/fill";
import { Graph } from "../../../src/core/graph";
import { state, type Tensor } from "../../../src/core/tensor";
import type { StoredTensor } from "../../../src/data/safetensors";
import { VolumeStore } from "../../../src/data/volume_store";
import { capabilities } from "../../../src/gpu/capabilities";
import { openDevice } from "../../../src/gpu/device";
import { Memory } from "../../../src/gpu/memory";
import { Program } from "../../../src/gpu/program";
import { fromNamed, toNamed, unetParameters } from "../../../src/nn/parameters";
import { unet3d } from "../../../src/nn/unet3d";
import { flatParameters } from "../../../src/nn/weights";
import { ADAM, STEP_SIZE, stepValues } from "../../../src/optim/schedule";
import { makeTrainConfig } from "../../../src/train/config";
import { LOG_COLUMNS, unetConfig } from "../../../src/train/iteration";
import { Trainer } from "../../../src/train/trainer";
import { type Engine, floats, type Job, serve, type Tensors, weightsOf } from "../engine";
import { noiseVolume, SEED } from "../inputs";
import type { ConvWork, IterationWork, NetworkWork } from "../works";

const device = await openDevice({ adapter: process.argv[2] ?? "", quiet: true });
const config = makeTrainConfig("paper", { seed: SEED });
const specs = unetParameters();

/** A fresh memory for a work: everything in it is released with the work. */
class Bench {
  readonly memory = new Memory(device);
  readonly graph = new Graph(capabilities(device));
  private readonly states: Tensor[] = [];

  state(name: string, shape: readonly number[], data?: Float32Array): Tensor {
    const t = state(name, shape);
    this.states.push(t);
    if (data) this.memory.write(t, data);
    return t;
  }

  input(inputs: Tensors, name: string): Tensor {
    const { shape, data } = floats(inputs, name);
    return this.state(name, shape, data);
  }

  async read(t: Tensor, program?: Program): Promise<StoredTensor> {
    return { shape: t.shape, data: await this.memory.readF32(t, program?.bufferOf(t)) };
  }

  release(program: Program): void {
    program.destroy();
    for (const t of this.states) this.memory.release(t);
  }
}

/** A job that replays `program`, with `before` ahead of each run. */
function replay(bench: Bench, program: Program, outputs: Tensors, before?: () => void): Job {
  return {
    outputs,
    memory: () => ({ peak: bench.memory.allocatedBytes }),
    release: () => bench.release(program),
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
  const bench = new Bench();
  const { graph: g } = bench;
  const [x, w] = [bench.input(inputs, "x"), bench.input(inputs, "w")];
  const b = bench.state("b", [w.shape[0]!]);
  const [dx, dw] = [bench.state("dx", x.shape), bench.state("dw", w.shape)];
  if (backward) {
    g.watch(x, dx);
    g.watch(w, dw);
  }
  const y = g.apply(conv3d, { x, w, b }, {}).y!;
  if (backward) g.backward(new Map([[y, bench.input(inputs, "dy")]]), add);
  const program = await Program.compile(bench.memory, g, "conv", [y]);
  program.run();
  const outputs = new Map([["y", await bench.read(y, program)]]);
  if (backward) for (const t of [dx, dw]) outputs.set(t.name, await bench.read(t));
  return replay(bench, program, outputs);
}

function parameters(bench: Bench, inputs: Tensors) {
  const params = flatParameters("w", specs);
  const named = new Map(weightsOf(inputs).map(({ name, ...tensor }) => [name, tensor]));
  bench.memory.write(params.flat, fromNamed(specs, named, "inputs"));
  return params;
}

async function forward(inputs: Tensors): Promise<Job> {
  const bench = new Bench();
  const { named } = parameters(bench, inputs);
  const logits = unet3d(bench.graph, named, bench.input(inputs, "x"), unetConfig(config));
  const program = await Program.compile(bench.memory, bench.graph, "forward", [logits]);
  program.run();
  const outputs = new Map([["logits", await bench.read(logits, program)]]);
  return replay(bench, program, outputs);
}

async function step({ patches }: NetworkWork, inputs: Tensors): Promise<Job> {
  const bench = new Bench();
  const { graph: g, memory } = bench;
  const params = parameters(bench, inputs);
  const gradient = flatParameters("gradient", specs);
  const total = params.flat.shape;
  for (const [name, w] of params.named) g.watch(w, gradient.named.get(name)!);
  const logits = unet3d(g, params.named, bench.input(inputs, "x"), unetConfig(config));
  const target = bench.input(inputs, "y");
  const { loss } = g.apply(diceLoss, { logits, target }, { epsilon: config.diceEpsilon });
  const seed = g.noGrad(() => g.apply(fill, {}, { shape: [patches], value: 1 / patches }).y!);
  g.backward(new Map([[loss!, seed]]), add);
  const values = bench.state("step", [STEP_SIZE]);
  const moments = { m: bench.state("m", total), v: bench.state("v", total) };
  const { beta1, beta2, epsilon: eps } = ADAM;
  const update = { w: params.flat, g: gradient.flat, ...moments, step: values };
  g.apply(adam, update, { beta1, beta2, eps });
  const program = await Program.compile(memory, g, "step", [loss!]);
  let t = 0;
  const before = () => memory.write(values, stepValues(t++, config.learningRate, 0, 0));
  before();
  program.run();
  const outputs = new Map([["loss1", await bench.read(loss!, program)]]);
  const gradients = toNamed(specs, await memory.readF32(gradient.flat));
  for (const [name, tensor] of gradients) outputs.set(`gradient/${name}`, tensor);
  before();
  program.run();
  outputs.set("loss2", await bench.read(loss!, program));
  return replay(bench, program, outputs, before);
}

async function iteration({ pool, batch }: IterationWork): Promise<Job> {
  const memory = new Memory(device);
  const settings = makeTrainConfig("paper", { pool, batch, seed: SEED });
  const stored = { half: false, budget: 2 ** 30, patch: settings.patch };
  const store = VolumeStore.create(memory, [noiseVolume()], stored);
  const trainer = await Trainer.create(memory, store, settings);
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
      trainer.program.destroy();
      const { student, momentum, gradient, m, v, step, coords, log } = trainer.state;
      const flats = [student, momentum, gradient].map(({ flat }) => flat);
      for (const t of [...flats, m, v, step, coords, log]) memory.release(t);
      store.release();
    },
  };
}

const engine: Engine = {
  version: `voxgrad on ${device.info.name}`,
  variants: [{ name: "default", reduced: false }],
  prepare(work, inputs) {
    if (work.kind === "conv") return conv(work, inputs);
    if (work.kind === "iteration") return iteration(work);
    return work.training ? step(work, inputs) : forward(inputs);
  },
};

await serve(async () => engine);
