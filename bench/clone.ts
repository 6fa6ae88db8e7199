/** One recorded dispatch on buffers of its own, to be run by itself. */
import { type Dispatch, Graph } from "../src/core/graph";
import { Philox } from "../src/core/random";
import { channelsOf, elements, rangeOf, state, storageOf, type Tensor } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import type { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";

const BLOCK = 2 ** 20;
let block: Float32Array<ArrayBuffer> | undefined;

/** Uniform in ±½: GPUs draw less power, and run faster, on zeros. */
function randomBlock(): Float32Array<ArrayBuffer> {
  if (block) return block;
  const random = new Philox(1);
  block = Float32Array.from({ length: BLOCK }, () => random.uniform() - 0.5);
  return block;
}

function fill(memory: Memory, t: Tensor): void {
  const count = elements(t.shape);
  for (let at = 0; at < count; at += BLOCK) {
    memory.write(t, randomBlock().subarray(0, Math.min(BLOCK, count - at)), at);
    // Dawn holds the staging memory of a write until a submit follows.
    memory.device.device.queue.submit([]);
  }
}

/**
 * The dispatch on fresh buffers: floats random, temporary integers (indices, positions) zero. Integer
 * states (tables, volumes) are the recorded ones, whose values send the kernel where it really goes.
 */
export class DispatchClone {
  private constructor(
    private readonly memory: Memory,
    readonly program: Program,
    private readonly made: readonly Tensor[],
    /** What Program.compile took; some drivers compile only when it first runs. */
    readonly compileMs: number,
  ) {}

  static async create(memory: Memory, dispatch: Dispatch): Promise<DispatchClone> {
    const made: Tensor[] = [];
    const copies = new Map<number, Tensor>();
    const copyOf = (t: Tensor): Tensor => {
      const found = copies.get(t.id);
      if (found) return found;
      const keep = t.kind === "state" && t.dtype !== "f32";
      const copy = keep ? t : state(t.name, t.shape, t.dtype);
      if (!keep) made.push(copy);
      copies.set(t.id, copy);
      return copy;
    };
    const tensors = dispatch.tensors.map((t) => {
      const base = copyOf(storageOf(t));
      if (t.range) return rangeOf(base, t.name, t.range.offset, t.shape);
      return t.channels ? channelsOf(base, t.channels.first, t.shape[1]!) : base;
    });
    for (const t of made) if (t.dtype === "f32") fill(memory, t);
    const g = new Graph(capabilities(memory.device));
    g.dispatches.push({ ...dispatch, tensors });
    const start = performance.now();
    const program = await Program.compile(memory, g, dispatch.label);
    return new DispatchClone(memory, program, made, performance.now() - start);
  }

  release(): void {
    this.program.destroy();
    for (const t of this.made) this.memory.release(t);
  }
}
