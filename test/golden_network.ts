/** The whole network, its gradients and ten Adam steps with EMA against PyTorch (test/golden). */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { add } from "../kernels/elementwise/add";
import { fill } from "../kernels/elementwise/fill";
import { dice, patchLoss } from "../kernels/loss/patch_loss";
import { adam } from "../kernels/optimiser/adam";
import { Graph, type GraphOptions } from "../src/core/graph";
import { state, type Tensor } from "../src/core/tensor";
import { readSafetensors } from "../src/data/safetensors_file";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { fromNamed, layout, toNamed, unetParameters } from "../src/nn/parameters";
import { type UNetConfig, unet3d } from "../src/nn/unet3d";
import { type FlatParameters, flatParameters } from "../src/nn/weights";
import { TEST_UNET } from "../src/portability/test_unet";
import { ADAM, emaMomentum, STEP_SIZE, stepValues } from "../src/train/schedule";
import { testDevice } from "./test_devices";

const golden = readSafetensors(join(import.meta.dir, "golden", "golden.safetensors"));
const SETS = [
  { set: "main", filters: [16, 32, 64], alignCorners: true },
  { set: "half_pixel", filters: [8, 16, 32], alignCorners: false },
] as const;
const EPSILON = 1e-5;
const STEPS = 10;

type Values = ArrayLike<number>;

function stored(name: string): { shape: readonly number[]; data: Values } {
  const t = golden.tensors.get(name);
  if (!t || t.data instanceof BigInt64Array) throw new Error(`golden file lacks ${name}`);
  return { shape: t.shape, data: t.data };
}

/** Largest difference, as a share of the largest element of `truth` (or of `scale`). */
function deviation(values: Values, truth: Values, scale?: number): number {
  expect(values.length).toBe(truth.length);
  let most = 0;
  let largest = scale ?? 0;
  for (let i = 0; i < truth.length; i++) {
    if (!Number.isFinite(values[i])) return Number.POSITIVE_INFINITY;
    most = Math.max(most, Math.abs(values[i]! - truth[i]!));
    if (scale === undefined) largest = Math.max(largest, Math.abs(truth[i]!));
  }
  return most / largest;
}

interface Network {
  readonly memory: Memory;
  readonly params: FlatParameters;
  readonly gradient: FlatParameters;
  readonly program: Program;
  readonly logits: Tensor;
  readonly loss: Tensor;
}

/** Forward, loss and backward on the set's batch. */
async function network(
  memory: Memory,
  { set, filters, alignCorners }: (typeof SETS)[number],
  { recompute = false, ...options }: GoldenOptions,
): Promise<Network> {
  const config: UNetConfig = { ...TEST_UNET, filters, alignCorners, recompute };
  const specs = unetParameters(config);
  const [params, gradient] = [flatParameters("w", specs), flatParameters("g", specs)];
  const weights = new Map(
    specs.map(({ name }) => [name, golden.tensors.get(`${set}/weights/${name}`)!] as const),
  );
  memory.write(params.flat, fromNamed(specs, weights as never, "golden"));
  const [x, y] = ["x", "y"].map((name) => stored(`${set}/${name}`));
  const [input, target] = [state("x", x!.shape), state("target", y!.shape)];
  memory.write(input, Float32Array.from(x!.data));
  memory.write(target, Float32Array.from(y!.data));
  const g = new Graph(capabilities(memory.device), options);
  for (const [name, w] of params.named) g.watch(w, gradient.named.get(name)!);
  const logits = unet3d(g, params.named, input, config);
  const loss = g.apply(patchLoss, { logits, target }, dice(EPSILON)).loss!;
  const n = x!.shape[0]!;
  const seed = g.noGrad(() => g.apply(fill, {}, { shape: [n], value: 1 / n }).y!);
  g.backward(new Map([[loss, seed]]), add);
  const program = await Program.compile(memory, g, set, [logits, loss]);
  return { memory, params, gradient, program, logits, loss };
}

function gradientFaults(flat: Float32Array, set: (typeof SETS)[number]): string[] {
  const specs = unetParameters({ inChannels: 2, filters: set.filters });
  const truths = specs.map(({ name }) => stored(`${set.set}/gradients/${name}`).data);
  const largest = Math.max(...truths.flatMap((t) => Array.from(t, Math.abs)));
  return specs.flatMap(({ name }, i) => {
    const values = toNamed(specs, flat).get(name)!.data;
    const truth = truths[i]!;
    // A bias in front of a norm with one channel a group has a gradient of exactly 0, and float32
    // gives rounding noise: compare it with the largest gradient of the network.
    const own = Math.max(...Array.from(truth, Math.abs));
    const zero = /conv\d\.bias$/.test(name) && truth.length === 8;
    const off = deviation(values, truth, zero ? largest : own);
    return off < 3e-5 ? [] : [`${name}: off by ${off.toExponential(1)} of its largest element`];
  });
}

/** Options of a graph, and how tests are told apart by them. */
export type GoldenOptions = GraphOptions & { readonly recompute?: boolean };

/** Compares the network with PyTorch's on an adapter, where it can be had. */
export async function describeGolden(adapter: string, options: GoldenOptions = {}): Promise<void> {
  const device = await testDevice(adapter);
  if (!device) return;
  const how = Object.keys(options).length > 0 ? ` ${JSON.stringify(options)}` : "";
  describe(`${adapter}${how}`, () => {
    for (const set of SETS) {
      test(`${set.set}: logits, losses and every gradient`, async () => {
        const memory = new Memory(device);
        const net = await network(memory, set, options);
        net.program.run();
        const logits = await memory.readF32(net.logits, net.program.bufferOf(net.logits));
        expect(deviation(logits, stored(`${set.set}/logits`).data)).toBeLessThan(1e-5);
        const loss = await memory.readF32(net.loss, net.program.bufferOf(net.loss));
        expect(deviation(loss, stored(`${set.set}/loss_per_patch`).data)).toBeLessThan(2e-6);
        expect(gradientFaults(await memory.readF32(net.gradient.flat), set)).toEqual([]);
        net.program.destroy();
      });
    }

    test("main: ten steps of Adam with EMA", async () => {
      const memory = new Memory(device);
      await tenSteps(await network(memory, SETS[0], options));
    });
  });
}

async function tenSteps({ memory, params, gradient, program, loss }: Network): Promise<void> {
  const total = params.flat.shape;
  const [m, v, average, step] = [
    state("m", total),
    state("v", total),
    state("w_momentum", total),
    state("step", [STEP_SIZE]),
  ];
  memory.write(average, await memory.readF32(params.flat));
  const g = new Graph(capabilities(memory.device));
  const { beta1, beta2, epsilon: eps } = ADAM;
  const w = params.flat;
  g.apply(adam, { w, g: gradient.flat, m, v, average, step }, { beta1, beta2, eps });
  const update = await Program.compile(memory, g, "update");
  const truth = stored("main/losses").data;
  for (let t = 0; t <= STEPS; t++) {
    program.run();
    const losses = await memory.readF32(loss, program.bufferOf(loss));
    const mean = losses.reduce((sum, l) => sum + l, 0) / losses.length;
    expect(Math.abs(mean - truth[t]!), `loss after ${t} steps`).toBeLessThan(2e-5);
    if (t === STEPS) break;
    memory.write(step, stepValues(t, 1e-3, emaMomentum(0.99, t), 0));
    update.run();
  }
  compareWeights("student", await memory.readF32(params.flat));
  compareWeights("momentum", await memory.readF32(average));
}

/** Few elements with a gradient near 0 move as far as all others: bounds in L2 and absolute. */
function compareWeights(which: string, flat: Float32Array): void {
  const specs = unetParameters({ inChannels: 2, filters: [16, 32, 64] });
  expect(flat.length).toBe(layout(specs).total);
  for (const [name, { data }] of toNamed(specs, flat)) {
    const full = golden.tensors.has(`main/${which}/${name}`);
    const truth = stored(`main/${which}/${name}${full ? "" : "/sample"}`).data;
    const values = full ? data : data.filter((_, i) => i % 31 === 0);
    expect(deviation(values, truth, 1), `${which} ${name}`).toBeLessThan(2e-4);
    let [square, norm] = [0, 0];
    for (let i = 0; i < truth.length; i++) {
      square += (values[i]! - truth[i]!) ** 2;
      norm += truth[i]! ** 2;
    }
    expect(Math.sqrt(square / norm), `${which} ${name}, relative L2`).toBeLessThan(2e-4);
  }
}
