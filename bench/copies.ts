/** Copies of recorded tensors on buffers of their own. */
import { Philox } from "../src/core/random";
import { channelsOf, elements, rangeOf, state, storageOf, type Tensor } from "../src/core/tensor";
import type { Memory } from "../src/gpu/memory";

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
 * Copies by original: floats random, temporary integers (indices, positions) zero. Views of one
 * tensor become views of its one copy. Integer states (tables, volumes) are used as they are: their
 * values send a kernel where it really goes.
 */
export class TensorCopies {
  private readonly copies = new Map<number, Tensor>();
  private readonly made: Tensor[] = [];

  constructor(private readonly memory: Memory) {}

  of(t: Tensor): Tensor {
    const base = this.storage(storageOf(t));
    if (t.range) return rangeOf(base, t.name, t.range.offset, t.shape);
    return t.channels ? channelsOf(base, t.channels.first, t.shape[1]!) : base;
  }

  private storage(t: Tensor): Tensor {
    const found = this.copies.get(t.id);
    if (found) return found;
    const keep = t.kind === "state" && t.dtype !== "f32";
    const copy = keep ? t : state(t.name, t.shape, t.dtype);
    if (!keep) this.made.push(copy);
    if (t.dtype === "f32") fill(this.memory, copy);
    this.copies.set(t.id, copy);
    return copy;
  }

  release(): void {
    for (const t of this.made) this.memory.release(t);
  }
}
