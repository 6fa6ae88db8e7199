/**
 * Runs one case of one op on one adapter: inputs in state tensors, all other memory poisoned, guard
 * words after every buffer. src/portability/op_checks.ts judges what comes out.
 */
import { add } from "../../kernels/elementwise/add";
import { Graph, storagesOf } from "../core/graph";
import { roundToHalf } from "../core/half";
import type { Capabilities } from "../core/kernel";
import type { Op, Tensors } from "../core/op";
import { Philox } from "../core/random";
import type { DType, Shape, Tensor } from "../core/tensor";
import { channelsOf, elements, state, storageOf } from "../core/tensor";
import { capabilities } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import type { Case, Reference, Values } from "../reference/reference";
import { crc32 } from "./crc32";
import { decode, encode, flatParameters } from "./tensor_words";

export const GUARD_WORDS = 64;
/** A NaN with a mark, and as f16 two of them: what a kernel forgets to write, or reads out of place, shows. */
export const POISON = 0x7fc07ead;
export const SEED = 20;

/** An open adapter with guarded buffers. */
export class Rig {
  readonly caps: Capabilities;

  constructor(
    readonly device: Device,
    readonly memory = new Memory(device, GUARD_WORDS),
  ) {
    this.caps = capabilities(device);
  }
}

/** Requests to a trial beside its case. */
export interface TrialOptions {
  /** Stores activations as f16. */
  readonly half?: boolean;
  readonly seed?: number;
  /** Factor of the inputs that the reference calls scalable: a power of two. */
  readonly scale?: number;
  /** Inputs of float32 whose values f16 holds too, for variants that round them to it. */
  readonly rounded?: readonly string[];
}

/** A case with the values of its inputs and of the gradients of its differentiable outputs. */
export interface Trial {
  readonly reference: Reference<unknown>;
  readonly case: Case<unknown>;
  /** Activations are stored as f16. */
  readonly half: boolean;
  readonly inputs: Values;
  readonly outputs: Values;
  readonly dys: Values;
  /** Gradients by input name; none where the op has no backward rule. */
  readonly gradients: Values;
}

/** Seeded inputs, rounded to what their types hold exactly, and what the reference makes of them. */
export function trialOf(
  reference: Reference<unknown>,
  c: Case<unknown>,
  { half = false, seed = SEED, scale = 1, rounded = [] }: TrialOptions = {},
): Trial {
  const rng = new Philox(seed, crc32(`${reference.op.name} ${c.id}`));
  const normals = (count: number) => Float64Array.from({ length: count }, () => rng.normal());
  const given = reference.data?.(c, rng) ?? {};
  const inputs: Values = {};
  for (const [name, shape] of Object.entries(c.inputs)) {
    const drawn = given[name] ?? normals(elements(shape));
    if (drawn.length !== elements(shape)) throw new Error(`${c.id}: ${name} has ${drawn.length}`);
    const halved = (half && reference.f16?.inputs.includes(name)) || rounded.includes(name);
    const factor = reference.scalable?.includes(name) ? scale : 1;
    const round = (v: number) => factor * (halved ? roundToHalf(v) : Math.fround(v));
    inputs[name] = reference.types?.[name] ? drawn : drawn.map(round);
  }
  const outputs = reference.forward(copy(inputs), c.inputs, c.attrs);
  const dys: Values = {};
  if (reference.backward) {
    for (const name of reference.differentiable ?? ["y"]) {
      dys[name] = normals(outputs[name]!.length).map(half ? roundToHalf : Math.fround);
    }
  }
  const gradients = reference.backward?.(copy(inputs), c.inputs, c.attrs, copy(dys)) ?? {};
  return { reference, case: c, half, inputs, outputs, dys, gradients };
}

export function copy(values: Values): Values {
  return Object.fromEntries(Object.entries(values).map(([name, v]) => [name, v.slice()]));
}

/** The variants of an op in each round, so that every supported one has its turn. */
export function variantRounds(
  op: Op<unknown>,
  caps: Capabilities,
  half = false,
): Record<string, string>[] {
  const usable = Object.entries(op.variants ?? {}).map(([pick, all]) => {
    const able = all.filter((v) => v.supported(caps) && (half ? v.f16 : v.f16 !== "only"));
    return [pick, able.map((v) => v.name)] as const;
  });
  const rounds = Math.max(1, ...usable.map(([, names]) => names.length));
  return Array.from({ length: rounds }, (_, round) =>
    Object.fromEntries(usable.map(([pick, names]) => [pick, names[round % names.length]!])),
  );
}

/** One application of the op and the gradients that its backward rule gave. */
export interface Application {
  readonly outputs: Tensors;
  gradients: Tensors;
}

/** A trial recorded as a graph: the op twice, unless it works in place, and its gradients. */
export class OpGraph {
  readonly graph: Graph;
  readonly applications: Application[] = [];
  readonly inputs: Tensors;
  /** Where the gradients of parameters are added up. */
  readonly parameterGradients: Tensors;
  /** What is uploaded before the run. */
  readonly uploads = new Map<Tensor, Float64Array>();
  private readonly bases = new Map<string, Tensor>();

  constructor(
    readonly trial: Trial,
    caps: Capabilities,
    variants: Readonly<Record<string, string>>,
    /** Inputs whose gradients are asked for: all that have one, if absent. */
    readonly wanted: readonly string[] = Object.keys(trial.gradients),
  ) {
    const { reference, case: c } = trial;
    this.graph = new Graph(caps, { variants });
    const parameters = reference.parameters ?? [];
    const flat = flatParameters(parameters.map((name) => [name, c.inputs[name]!]));
    this.parameterGradients = flat.gradients;
    const inputs: Record<string, Tensor> = {};
    for (const [name, shape] of Object.entries(c.inputs)) {
      const halved = trial.half && reference.f16?.inputs.includes(name);
      const type = reference.types?.[name] ?? (halved ? "f16" : "f32");
      const t = flat.values[name] ?? this.place(name, shape, type);
      inputs[name] = t;
      this.uploads.set(t, trial.inputs[name]!);
    }
    this.inputs = inputs;
    for (const name of parameters.filter((name) => wanted.includes(name))) {
      this.graph.watch(inputs[name]!, flat.gradients[name]!);
    }
    if (wanted.length > 0) this.track();
    const times = reference.op.mutates ? 1 : 2;
    for (let i = 0; i < times; i++) this.apply();
    if (wanted.length > 0) this.differentiate();
  }

  /** A state tensor, or a channel view of one where the case says so. */
  private place(name: string, shape: Shape, dtype: DType): Tensor {
    const view = this.trial.case.views?.[name];
    if (!view) return state(name, shape, dtype);
    const key = view.base ?? name;
    const [N = 1, C = 1, ...space] = shape;
    const base = this.bases.get(key) ?? state(key, [N, view.total, ...space], dtype);
    this.bases.set(key, base);
    return channelsOf(base, view.first, C);
  }

  /** Makes inputs outputs of an op on a watched leaf, so that gradients flow to them. */
  private track(): void {
    const seed = state("seed", [1]);
    const inputs = Object.fromEntries(this.wanted.map((name) => [name, this.inputs[name]!]));
    this.graph.watch(seed, state("d_seed", [1]));
    const leaf: Op = {
      name: "leaf",
      forward: () => inputs,
      backward: (g) => ({ seed: g.into(seed).tensor }),
    };
    this.graph.apply(leaf, { seed }, {});
  }

  private apply(): void {
    const { half, reference, case: c } = this.trial;
    const { op, f16 } = reference;
    const application: Application = { outputs: {}, gradients: {} };
    const spy: Op<unknown> = {
      ...op,
      backward:
        op.backward &&
        ((g, call, grads) => {
          application.gradients = written(g, op.backward!(g, call, grads));
          return application.gradients;
        }),
    };
    const attrs = half && f16?.attrs ? f16.attrs(c.attrs) : c.attrs;
    const outputs = this.graph.apply(spy, this.inputs, attrs);
    this.applications.push(Object.assign(application, { outputs: written(this.graph, outputs) }));
  }

  private differentiate(): void {
    const seeds = new Map<Tensor, Tensor>();
    for (const [name, values] of Object.entries(this.trial.dys)) {
      const { shape, dtype } = this.applications[0]!.outputs[name]!;
      const dy = this.place(`d${name}`, shape, dtype);
      this.uploads.set(dy, values);
      for (const { outputs } of this.applications) seeds.set(outputs[name]!, dy);
    }
    this.graph.backward(seeds, add as Op<unknown> as Op);
  }

  /** Compiles, poisons, uploads, runs and reads every buffer back. */
  async run(rig: Rig): Promise<Readback> {
    return (await this.runs(rig, 1))[0]!;
  }

  /** The same `times` times over, poisoned and uploaded anew before each. */
  async runs(rig: Rig, times: number): Promise<Readback[]> {
    const prepared = await this.prepare(rig);
    const found: Readback[] = [];
    for (let i = 0; i < times; i++) {
      prepared.fill();
      prepared.program.run();
      found.push(await prepared.read());
    }
    prepared.release();
    return found;
  }

  /** Compiles; what is then filled, run and read back is up to the caller, who releases it. */
  async prepare({ memory, device }: Rig): Promise<Prepared> {
    const { dispatches } = this.graph;
    const storages = new Map(storagesOf(dispatches).map((t) => [t.id, t]));
    for (const t of this.uploads.keys()) storages.set(storageOf(t).id, storageOf(t));
    const all = [...storages.values()];
    const temps = all.filter((t) => t.kind === "temp");
    const program = await Program.compile(memory, this.graph, this.trial.reference.op.name, temps);
    const buffers = all.map((t) => program.bufferOf(t));
    const images = buffers.map((b) => new Uint32Array(b.size / 4).fill(POISON));
    const before = new Map(all.map((t, i) => [t.id, images[i]!]));
    for (const [t, values] of this.uploads) {
      encode(values, t, before.get(storageOf(t).id)!);
    }
    return {
      program,
      storages: all,
      fill() {
        for (const [i, buffer] of buffers.entries()) {
          device.device.queue.writeBuffer(buffer, 0, images[i]!);
        }
      },
      async read() {
        const words = await readAll(device, buffers);
        return new Readback(all, before, new Map(all.map((t, i) => [t.id, words[i]!])));
      },
      release() {
        program.destroy();
        for (const t of all) memory.release(t);
      },
    };
  }
}

/** A compiled trial with its buffers. */
export interface Prepared {
  readonly program: Program;
  readonly storages: readonly Tensor[];
  /** Poisons every buffer and uploads the inputs. */
  fill(): void;
  read(): Promise<Readback>;
  release(): void;
}

/** The tensors in memory, where an op left them to its readers. */
function written(g: Graph, tensors: Tensors): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, g.materialise(t)]));
}

/** All buffers of a run before and after it, guard words included. */
export class Readback {
  constructor(
    readonly storages: readonly Tensor[],
    readonly before: ReadonlyMap<number, Uint32Array>,
    readonly after: ReadonlyMap<number, Uint32Array>,
  ) {}

  /** The values of a tensor after the run. */
  values(t: Tensor): Float64Array {
    const words = this.after.get(storageOf(t).id);
    if (!words) throw new Error(`${t.name} was not part of the run`);
    return decode(words, t);
  }

  /** Whether two runs left the same bits everywhere. */
  sameAs(other: Readback): boolean {
    return [...this.after].every(([id, words]) => {
      const others = other.after.get(id)!;
      return words.every((word, i) => word === others[i]);
    });
  }
}

/** The words of buffers, in one wait. */
export async function readAll(
  device: Device,
  buffers: readonly GPUBuffer[],
): Promise<Uint32Array[]> {
  const size = buffers.reduce((sum, b) => sum + b.size, 0);
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = device.device.createBuffer({ label: "read back", size, usage });
  const encoder = device.device.createCommandEncoder();
  let at = 0;
  for (const buffer of buffers) {
    encoder.copyBufferToBuffer(buffer, 0, staging, at, buffer.size);
    at += buffer.size;
  }
  device.device.queue.submit([encoder.finish()]);
  await device.wait(staging.mapAsync(GPUMapMode.READ));
  const bytes = staging.getMappedRange().slice(0);
  staging.destroy();
  at = 0;
  return buffers.map((buffer) => {
    const words = new Uint32Array(bytes, at, buffer.size / 4);
    at += buffer.size;
    return words;
  });
}
