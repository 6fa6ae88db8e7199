/** The engine's side of the protocol for engines in TypeScript. */
import { createInterface } from "node:readline";
import { UserError } from "../../src/core/errors";
import type { StoredTensor } from "../../src/data/safetensors";
import { readSafetensors, writeSafetensors } from "../../src/data/safetensors_file";
import {
  type Hello,
  MARK,
  type MemoryUse,
  type Prepared,
  type PrepareRequest,
  type Request,
  type Unavailable,
} from "./protocol";
import type { Work } from "./works";

export type Tensors = ReadonlyMap<string, StoredTensor>;

/** A work that is ready to be timed. */
export interface Job {
  /** Results of the first run(s), as workload and docs/measurements/peers.md say, in voxgrad's layouts. */
  readonly outputs: Tensors;
  readonly note?: string;
  /** Runs the work `count` times and waits for the last. */
  run(count: number): Promise<void>;
  memory?(): MemoryUse | Promise<MemoryUse>;
  release(): void | Promise<void>;
}

export interface Engine extends Hello {
  /** Computes the outputs of a work; a string says why this engine cannot. */
  prepare(work: Work, inputs: Tensors, variant: string): Promise<Job | string>;
}

/** The float32 tensor `name`. @throws Error if it is missing or of another type */
export function floats(tensors: Tensors, name: string): { shape: number[]; data: Float32Array } {
  const found = tensors.get(name);
  if (!(found?.data instanceof Float32Array)) throw new Error(`inputs lack float32 ${name}`);
  return { shape: [...found.shape], data: found.data };
}

/** The parameters of the network by name, without their prefix in the file. */
export function weightsOf(tensors: Tensors) {
  const names = [...tensors.keys()].filter((name) => name.startsWith("weights/"));
  return names.map((name) => ({ name: name.slice("weights/".length), ...floats(tensors, name) }));
}

/** A copy with axis `i` of the result being axis `order[i]` of `tensor`. */
export function permuted(
  { shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array },
  order: readonly number[],
): { shape: number[]; data: Float32Array } {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const out = order.map((axis) => shape[axis]!);
  const result = new Float32Array(data.length);
  let written = 0;
  const walk = (axis: number, offset: number) => {
    if (axis === out.length) {
      result[written++] = data[offset]!;
      return;
    }
    const stride = strides[order[axis]!]!;
    for (let i = 0; i < out[axis]!; i++) walk(axis + 1, offset + i * stride);
  };
  walk(0, 0);
  return { shape: out, data: result };
}

/** Answers the driver until it closes stdin. */
export async function serve(open: () => Promise<Engine | Unavailable>): Promise<never> {
  const answer = (value: unknown) => process.stdout.write(`${MARK}${JSON.stringify(value)}\n`);
  const lines = createInterface({ input: process.stdin });
  const session = new Session(open);
  for await (const line of lines) {
    try {
      answer(await session.handle(JSON.parse(line) as Request));
    } catch (error) {
      answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
  process.exit(0); // devices and thread pools would keep the process alive
}

/** For an engine that cannot even start: tells the driver why, if it is the user's to know. */
export function refuse(error: unknown): Promise<never> {
  if (!(error instanceof UserError)) throw error;
  const unavailable = error.message;
  return serve(async () => ({ unavailable }));
}

class Session {
  private engine: Engine | undefined;
  private job: Job | undefined;

  constructor(private readonly open: () => Promise<Engine | Unavailable>) {}

  async handle(request: Request): Promise<unknown> {
    switch (request.do) {
      case "hello":
        return this.hello();
      case "prepare":
        return this.prepare(request);
      case "run": {
        const start = performance.now();
        await this.job!.run(request.count);
        return { ms: (performance.now() - start) / request.count };
      }
      case "memory":
        return (await this.job!.memory?.()) ?? {};
      case "release":
        await this.job!.release();
        return {};
    }
  }

  private async hello(): Promise<Hello | Unavailable> {
    const engine = await this.open();
    if ("unavailable" in engine) return engine;
    this.engine = engine;
    return { version: engine.version, variants: engine.variants };
  }

  private async prepare(request: PrepareRequest): Promise<Prepared | Unavailable> {
    const { tensors } = readSafetensors(request.inputs);
    const job = await this.engine!.prepare(request.work, tensors, request.variant);
    if (typeof job === "string") return { unavailable: job };
    this.job = job;
    writeSafetensors({ path: request.outputs, tensors: job.outputs, metadata: {} });
    return { note: job.note };
  }
}
