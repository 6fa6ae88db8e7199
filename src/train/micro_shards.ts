/**
 * An iteration whose batch and pool are cut into micro-shards, which processes share. The cut does not
 * depend on the processes, and the gradients of the shards are added in their order: any number of
 * processes gets the same bits.
 */
import { elements } from "../core/tensor";
import type { Choices } from "../core/variant";
import type { VolumeStore } from "../data/volume_store";
import { graphFor } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { Staging } from "../gpu/staging";
import type { TrainConfig } from "../settings/config";
import { isOverBatch } from "./loss";
import {
  makeShardTensors,
  RANKED_FLOATS,
  ShardRecorder,
  type ShardTensors,
  shardSizes,
} from "./record_shards";
import { sampleCount, type TrainState } from "./state";

/** The processes that share an iteration. Each makes the same calls in the same order. */
export interface Exchange {
  /** The number of this process, from 0, and how many there are. */
  readonly rank: number;
  readonly size: number;
  /** The parts of all processes one after the other. @param lengths of each one's part */
  gatherFloats(part: Float32Array, lengths: readonly number[]): Promise<Float32Array>;
  /** The sum over the processes, in any order. */
  sum(part: Float32Array): Promise<Float32Array>;
}

/** One process that does all shards. */
export const ALONE: Exchange = {
  rank: 0,
  size: 1,
  gatherFloats: async (part) => part,
  sum: async (part) => part,
};

/** The shards of a process: [first, end). */
export function shardsOf(
  rank: number,
  size: number,
  shards: number,
): { first: number; end: number } {
  const at = (r: number) => Math.floor((r * shards) / size);
  return { first: at(rank), end: at(rank + 1) };
}

/** a[i] += b[i], each sum rounded to f32 as on a device. */
function addTo(a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! + b[i]!;
}

/** Programs of the parts of an iteration. */
interface Programs {
  /** Absent where nothing is ranked. */
  readonly ranking?: Program;
  /** Absent where no loss is over the batch. */
  readonly terms?: Program;
  readonly training: Program;
  readonly update: Program;
}

export class MicroShards {
  /** Seconds in iterations: of computing, and of exchanging with other processes. */
  readonly times = { computing: 0, exchanging: 0 };
  private readonly ranked: Staging;
  private readonly terms: Staging;
  private readonly trained: Staging;
  private readonly own: readonly number[];

  private constructor(
    private readonly memory: Memory,
    private readonly state: TrainState,
    private readonly tensors: ShardTensors,
    private readonly config: TrainConfig,
    private readonly exchange: Exchange,
    readonly programs: Programs,
  ) {
    const { first, end } = shardsOf(exchange.rank, exchange.size, config.microShards!);
    this.own = Array.from({ length: end - first }, (_, i) => first + i);
    const count = Math.max(1, this.own.length);
    const staging = (what: string, floats: number) =>
      new Staging(memory, `${what} shards`, count * floats);
    this.ranked = staging("ranked", elements(tensors.ranked.shape));
    this.terms = staging("summed", elements(tensors.terms.shape));
    this.trained = staging("trained", this.shardFloats);
  }

  /** Records and compiles the parts. */
  static async create(
    memory: Memory,
    store: VolumeStore,
    state: TrainState,
    config: TrainConfig,
    exchange: Exchange,
    choices: Choices | undefined,
  ): Promise<MicroShards> {
    const tensors = makeShardTensors(config);
    const recorder = new ShardRecorder(memory, store, state, tensors, config);
    const compile = (name: "Ranking" | "Terms" | "Training" | "Update") => {
      const g = graphFor(memory.device, { choices });
      recorder[`record${name}`](g);
      return Program.compile(memory, g, name.toLowerCase());
    };
    const ranking = config.sampler === "ohem" ? await compile("Ranking") : undefined;
    const terms = isOverBatch(config) ? await compile("Terms") : undefined;
    const training = await compile("Training");
    const programs = { ranking, terms, training, update: await compile("Update") };
    return new MicroShards(memory, state, tensors, config, exchange, programs);
  }

  get all(): Program[] {
    const { ranking, terms, training, update } = this.programs;
    return [ranking, terms, training, update].filter((program) => program !== undefined);
  }

  /** Floats of a trained shard: the gradient, then what is known of its patches. */
  private get shardFloats(): number {
    return this.state.gradient.flat.shape[0]! + this.tensors.trained.shape[0]!;
  }

  /**
   * One iteration, whose positions and scalars are on the device.
   * @param before runs right before the weights change
   */
  async run(before?: Program): Promise<void> {
    const began = performance.now();
    const exchanged = this.times.exchanging;
    const { ranking, terms } = this.programs;
    if (ranking) await this.rank(ranking);
    if (terms) await this.addUp(terms);
    await this.train();
    before?.run();
    this.programs.update.run();
    const seconds = (performance.now() - began) / 1000;
    this.times.computing += seconds - (this.times.exchanging - exchanged);
  }

  /** Lengths of the processes' parts, at so many floats a shard. */
  private lengths(floats: number): number[] {
    const { size } = this.exchange;
    return Array.from({ length: size }, (_, rank) => {
      const { first, end } = shardsOf(rank, size, this.config.microShards!);
      return (end - first) * floats;
    });
  }

  private async exchanged<T>(work: Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work;
    } finally {
      this.times.exchanging += (performance.now() - began) / 1000;
    }
  }

  private async rank(program: Program): Promise<void> {
    const { memory, tensors, config, own, ranked, exchange } = this;
    const pool = sampleCount(config);
    const size = shardSizes(config).ranked;
    const floats = RANKED_FLOATS * size;
    for (const [k, shard] of own.entries()) {
      // The last shard may be short: it ranks the last patch again, and that is dropped.
      const places = Array.from({ length: size }, (_, i) => Math.min(shard * size + i, pool - 1));
      memory.write(tensors.ranking, Uint32Array.from(places));
      program.run();
      ranked.copy(tensors.ranked, k * floats);
    }
    const part = own.length > 0 ? await ranked.read() : new Float32Array(0);
    const all = await this.exchanged(exchange.gatherFloats(part, this.lengths(floats)));
    const [errors, sums] = [new Float32Array(pool), new Float32Array(3 * pool)];
    for (let at = 0; at * size < pool; at++) {
      const shard = all.subarray(at * floats, (at + 1) * floats);
      const count = Math.min(size, pool - at * size);
      errors.set(shard.subarray(0, count), at * size);
      sums.set(shard.subarray(size, size + 3 * count), 3 * at * size);
    }
    memory.write(tensors.errors, errors);
    memory.write(tensors.sums, sums);
  }

  /** Runs a program on the patches of a shard. */
  private runOn(program: Program, shard: number): void {
    const size = shardSizes(this.config).trained;
    const places = Uint32Array.from({ length: size }, (_, i) => shard * size + i);
    this.memory.write(this.tensors.training, places);
    program.run();
  }

  /** What a loss over the batch adds up, of all shards: a row for each patch of the batch. */
  private async addUp(program: Program): Promise<void> {
    const { memory, tensors, own, terms, exchange } = this;
    const floats = elements(tensors.terms.shape);
    for (const [k, shard] of own.entries()) {
      this.runOn(program, shard);
      terms.copy(tensors.terms, k * floats);
    }
    const part = own.length > 0 ? await terms.read() : new Float32Array(0);
    const all = await this.exchanged(exchange.gatherFloats(part, this.lengths(floats)));
    const rows = floats / tensors.batchTerms.length;
    for (const [head, t] of tensors.batchTerms.entries()) {
      const values = new Float32Array(elements(t.shape));
      for (let shard = 0; shard * rows < values.length; shard++) {
        const at = shard * floats + head * rows;
        values.set(all.subarray(at, at + rows), shard * rows);
      }
      memory.write(t, values);
    }
  }

  private async train(): Promise<void> {
    const { memory, state, tensors, config, own, trained, shardFloats } = this;
    const size = shardSizes(config).trained;
    const parameters = state.gradient.flat.shape[0]!;
    for (const [k, shard] of own.entries()) {
      this.runOn(this.programs.training, shard);
      trained.copy(state.gradient.flat, k * shardFloats);
      trained.copy(tensors.trained, k * shardFloats + parameters);
    }
    const part = own.length > 0 ? await trained.read() : new Float32Array(0);
    const { gradient, patches } = await (config.allreduce
      ? this.allreduced(part)
      : this.inOrder(part));
    memory.write(state.gradient.flat, gradient);
    this.putPatches(patches, size);
  }

  /** The gradients of all shards, added in the order of the shards. */
  private async inOrder(part: Float32Array): Promise<Trained> {
    const { shardFloats, exchange } = this;
    const all = await this.exchanged(exchange.gatherFloats(part, this.lengths(shardFloats)));
    return this.added(all);
  }

  /** MPI's own sum of what each process has added: its order depends on the processes. */
  private async allreduced(part: Float32Array): Promise<Trained> {
    const { exchange } = this;
    const own = this.added(part);
    const gradient = await this.exchanged(exchange.sum(own.gradient));
    const lengths = this.lengths(this.tensors.trained.shape[0]!);
    const known = Float32Array.from(own.patches.flatMap((values) => [...values]));
    const all = await this.exchanged(exchange.gatherFloats(known, lengths));
    const floats = this.tensors.trained.shape[0]!;
    const patches = Array.from({ length: all.length / floats }, (_, i) =>
      all.subarray(i * floats, (i + 1) * floats),
    );
    return { gradient, patches };
  }

  private added(shards: Float32Array): Trained {
    const { shardFloats } = this;
    const parameters = this.state.gradient.flat.shape[0]!;
    const gradient = new Float32Array(parameters);
    const patches: Float32Array[] = [];
    for (let at = 0; at < shards.length; at += shardFloats) {
      const part = shards.subarray(at, at + parameters);
      if (at === 0) gradient.set(part);
      else addTo(gradient, part);
      patches.push(shards.subarray(at + parameters, at + shardFloats));
    }
    return { gradient, patches };
  }

  /** What is known of the batch's patches, from all shards. @param size patches of a shard */
  private putPatches(shards: readonly Float32Array[], size: number): void {
    const { memory, tensors } = this;
    const columns = [
      [tensors.loss, 0, 1],
      [tensors.batchSums, 1, 3],
      [tensors.gradients, 4, 2],
      [tensors.ownErrors, 6, 1],
    ] as const;
    for (const [t, first, width] of columns) {
      const values = new Float32Array(shards.length * size * width);
      for (const [i, shard] of shards.entries()) {
        values.set(shard.subarray(first * size, (first + width) * size), i * size * width);
      }
      memory.write(t, values);
    }
  }

  release(): void {
    for (const staging of [this.ranked, this.terms, this.trained]) staging.destroy();
  }
}

interface Trained {
  /** Of the whole batch. */
  readonly gradient: Float32Array;
  /** Of each shard: (7n). */
  readonly patches: readonly Float32Array[];
}
