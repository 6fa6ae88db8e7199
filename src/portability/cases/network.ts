/** Whole networks: gradients, a training of 20 steps and sliding-window inference, against float64. */

import { add } from "../../../kernels/elementwise/add";
import { fill } from "../../../kernels/elementwise/fill";
import { dice, patchLoss } from "../../../kernels/loss/patch_loss";
import { adam } from "../../../kernels/optimiser/adam";
import { Graph, type GraphOptions } from "../../core/graph";
import type { Capabilities } from "../../core/kernel";
import { Philox } from "../../core/random";
import { state, type Tensor } from "../../core/tensor";
import { type Problem, problemKey } from "../../core/variant";
import type { Memory } from "../../gpu/memory";
import { Program } from "../../gpu/program";
import { initialise, layout, toNamed, unetParameters } from "../../nn/parameters";
import { type UNetConfig, unet3d } from "../../nn/unet3d";
import { flatParameters } from "../../nn/weights";
import { gradients64, type Patches } from "../../reference/unet3d";
import { ADAM, STEP_SIZE, stepValues } from "../../train/schedule";
import type { Outcome, PortabilityCase } from "../case";
import { compare } from "../op_checks";
import type { Rig } from "../op_run";
import { shuffle } from "../shuffled_grid";
import { BACKWARD, EPSILON, FORWARD, near, outcomeOf, PATCH, unet } from "./network_parts";
import { slidingWindow } from "./sliding_window";

/** Of the loss in 20 steps, whose own rounding is 6e-8: Adam moves small gradients as far as large ones. */
const AFTER_STEPS = 5e-6;
const STEPS = 20;

type Choice = Readonly<Record<string, string>>;

/** The adapter's own choice, and what other adapters run where it can run it. */
const CHOICES: Readonly<Record<"default" | "plain" | "blocked" | "naive", Choice>> = {
  default: {},
  plain: { conv3d: "plain", conv3d_dx: "plain", conv3d_dw: "plain" },
  blocked: { conv3d: "blocked_512x16", conv3d_dx: "blocked_512x16", conv3d_dw: "blocked_8x16_8x4" },
  naive: { conv3d: "naive", conv3d_dx: "naive", conv3d_dw: "naive" },
};

export function networkCases(seed: number): PortabilityCase[] {
  const row = (
    kind: string,
    name: string,
    rest: Omit<PortabilityCase, "row" | "name" | "seed">,
  ) => ({
    ...{ row: `network.${kind}`, name, seed, patience: 120 },
    ...rest,
  });
  const wide = unet(8, 16, 8);
  // Groups of 12 channels: more than a workgroup merges at a time.
  const large = unet(24, 8, 8);
  return [
    ...Object.entries(CHOICES).map(([name, variants]) =>
      row(`gradients/${name}`, "8_16_8", {
        short: name === "default" || name === "blocked",
        outline: (caps) => new Step(caps, wide, 3, { variants }).g,
        run: (rig) => gradients(rig, new Step(rig.caps, wide, 3, { variants }), wide, seed),
      }),
    ),
    row("gradients/default", "8_16_8_as_on_gpu", {
      ...{ short: true, way: "as_on_gpu" },
      outline: (caps) => stepAsOnGpu(caps, wide)?.g,
      run: (rig) => gradients(rig, stepAsOnGpu(rig.caps, wide)!, wide, seed),
    }),
    ...(["default", "blocked"] as const).map((name) =>
      row(`gradients/${name}`, "24_8_8_shuffled", {
        ...{ short: true, way: "shuffled" },
        outline: (caps) => stepShuffled(caps, large, CHOICES[name]).g,
        run: (rig) => gradients(rig, stepShuffled(rig.caps, large, CHOICES[name]), large, seed),
      }),
    ),
    row("training", `${STEPS}_steps`, {
      short: true,
      outline: (caps) => new Step(caps, unet(4, 4, 4), 3, {}).g,
      run: (rig) => training(rig, unet(4, 4, 4), seed),
    }),
    row("sliding_window", "17x11x13", { short: true, run: (rig) => slidingWindow(rig, seed) }),
  ];
}

/** A recorded step of the wider network: what it picks variants for. */
export const networkGraph = (caps: Capabilities): Graph => new Step(caps, unet(8, 16, 8), 2, {}).g;

/** Patches of noise with a brighter box as the target, seeded. */
function patchesOf(n: number, seed: number): Patches {
  const rng = new Philox(seed, 41);
  const S = PATCH ** 3;
  const y = new Float32Array(n * S);
  for (let i = 0; i < y.length; i++) y[i] = rng.uniform() < 0.2 ? 1 : 0;
  const x = new Float32Array(2 * n * S);
  for (let i = 0; i < x.length; i++) {
    x[i] = rng.normal() + y[Math.floor(i / (2 * S)) * S + (i % S)]!;
  }
  return { x, y, n };
}

/** Forward, loss and backward on a batch. */
class Step {
  readonly specs;
  readonly params;
  readonly gradient;
  readonly input: Tensor;
  readonly target: Tensor;
  readonly loss: Tensor;
  readonly g: Graph;

  constructor(caps: Capabilities, config: UNetConfig, n: number, options: GraphOptions) {
    this.specs = unetParameters(config);
    this.params = flatParameters("w", this.specs);
    this.gradient = flatParameters("g", this.specs);
    this.input = state("x", [n, 2, PATCH, PATCH, PATCH]);
    this.target = state("target", [n, 1, PATCH, PATCH, PATCH]);
    const g = new Graph(caps, options);
    for (const [name, w] of this.params.named) g.watch(w, this.gradient.named.get(name)!);
    const logits = unet3d(g, this.params.named, this.input, config);
    const target = this.target;
    this.loss = g.apply(patchLoss, { logits, target }, dice(EPSILON)).loss!;
    const ones = g.noGrad(() => g.apply(fill, {}, { shape: [n], value: 1 / n }).y!);
    g.backward(new Map([[this.loss, ones]]), add);
    this.g = g;
  }

  write(memory: Memory, { x, y }: Patches, weights: Float32Array): void {
    memory.write(this.params.flat, weights);
    memory.write(this.input, Float32Array.from(x));
    memory.write(this.target, Float32Array.from(y));
  }

  release(memory: Memory): void {
    for (const t of [this.params.flat, this.gradient.flat, this.input, this.target]) {
      memory.release(t);
    }
  }
}

/** With the sizes of work that a GPU is given, in the adapter's own variants; undefined on a GPU. */
function stepAsOnGpu(
  caps: Capabilities,
  config: UNetConfig,
  variants: Choice = {},
): Step | undefined {
  if (caps.kind === "hardware") return undefined;
  const { picks } = new Step(caps, config, 3, { variants }).g;
  const taken = new Map(picks.map(({ op, problem, chosen }) => [problemKey(op, problem), chosen]));
  const choices = (op: string, problem: Problem) => taken.get(problemKey(op, problem));
  return new Step({ ...caps, kind: "hardware" }, config, 3, { choices });
}

function stepShuffled(caps: Capabilities, config: UNetConfig, variants: Choice): Step {
  const step = stepAsOnGpu(caps, config, variants) ?? new Step(caps, config, 3, { variants });
  shuffle(step.g);
  return step;
}

/** Start weights of which no norm's scale or shift is 1 or 0. */
function weightsOf(step: Step, seed: number): Float32Array {
  const weights = initialise(step.specs, seed);
  const rng = new Philox(seed, 43);
  return weights.map((w) => (w === 0 ? 0 : w * rng.uniform(0.8, 1.2)));
}

async function gradients(
  { memory }: Rig,
  step: Step,
  config: UNetConfig,
  seed: number,
): Promise<Outcome> {
  const patches = patchesOf(3, seed);
  const weights = weightsOf(step, seed);
  step.write(memory, patches, weights);
  const program = await Program.compile(memory, step.g, "gradients", [step.loss]);
  program.run();
  const loss = await memory.readF32(step.loss, program.bufferOf(step.loss));
  const flat = await memory.readF32(step.gradient.flat);
  program.destroy();
  step.release(memory);
  const truth = gradients64(toNamed(step.specs, weights), config, patches, EPSILON);
  const found = toNamed(step.specs, flat);
  return outcomeOf([
    near("loss", loss, truth.losses, FORWARD),
    ...[...truth.gradients].map(([name, expected]) => {
      // Gradients of biases before a norm are sums that nearly cancel: measured by their weights'.
      const beside = /conv\d\.bias$/.test(name) ? name.replace("bias", "weight") : name;
      const scale = truth.gradients.get(beside)!;
      return near(name, found.get(name)!.data, expected, BACKWARD, scale);
    }),
  ]);
}

const [RATE, MOMENTUM] = [3e-3, 0.9];

interface Twin {
  readonly w: Float64Array;
  readonly m: Float64Array;
  readonly v: Float64Array;
}

/**
 * Step `t`, counted from 1, as Kingma & Ba (2015) write it in algorithm 1, with their constants: nothing
 * of it is the trainer's.
 */
function adamStep({ w, m, v }: Twin, g: Float64Array, t: number): Twin {
  const first = m.map((value, i) => 0.9 * value + 0.1 * g[i]!);
  const second = v.map((value, i) => 0.999 * value + 0.001 * g[i]! * g[i]!);
  const next = w.map((value, i) => {
    const mean = first[i]! / (1 - 0.9 ** t);
    const square = second[i]! / (1 - 0.999 ** t);
    return value - (RATE * mean) / (Math.sqrt(square) + 1e-8);
  });
  return { w: next, m: first, v: second };
}

/** Adam in float64 beside Adam on the device, each on its own gradients, on one batch. */
async function training({ memory, caps }: Rig, config: UNetConfig, seed: number): Promise<Outcome> {
  const step = new Step(caps, config, 3, {});
  const patches = patchesOf(3, seed);
  const weights = weightsOf(step, seed);
  const { beta1, beta2, epsilon: eps } = ADAM;
  const attrs = { beta1, beta2, eps };
  const size = step.params.flat.shape;
  const states = {
    ...{ w: step.params.flat, g: step.gradient.flat, m: state("m", size), v: state("v", size) },
    ...{ average: state("average", size), step: state("step", [STEP_SIZE]) },
  };
  step.g.apply(adam, states, attrs);
  step.write(memory, patches, weights);
  memory.write(states.average, weights);
  for (const zero of [states.m, states.v]) memory.write(zero, new Float32Array(size[0]!));
  const program = await Program.compile(memory, step.g, "training", [step.loss]);
  const curve: number[] = [];
  const truth: number[] = [];
  const { specs } = step;
  const { total, offsets } = layout(specs);
  const flat = () => new Float64Array(total);
  let twin: Twin = { w: Float64Array.from(weights), m: flat(), v: flat() };
  for (let t = 0; t < STEPS; t++) {
    memory.write(states.step, stepValues(t, RATE, MOMENTUM, 0));
    program.run();
    const loss = await memory.readF32(step.loss, program.bufferOf(step.loss));
    curve.push(mean(loss.subarray(0, 3)));
    const named = new Map(
      specs.map(({ name, shape }, i) => {
        const data = twin.w.subarray(offsets[i]!);
        return [
          name,
          {
            shape,
            data: data.subarray(
              0,
              shape.reduce((a, b) => a * b, 1),
            ),
          },
        ];
      }),
    );
    const exact = gradients64(named, config, patches, EPSILON);
    truth.push(mean(exact.losses));
    const g = flat();
    for (const [i, { name }] of specs.entries()) g.set(exact.gradients.get(name)!, offsets[i]!);
    twin = adamStep(twin, g, t + 1);
  }
  program.destroy();
  step.release(memory);
  for (const name of ["m", "v", "average", "step"] as const) memory.release(states[name]);
  const compared = compare("loss by step", [STEPS], curve, truth, AFTER_STEPS);
  const note = `loss ${curve[0]!.toFixed(5)} to ${curve.at(-1)!.toFixed(5)}`;
  return outcomeOf([compared], note);
}

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
