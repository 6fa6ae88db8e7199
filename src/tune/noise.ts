/** Random inputs: one block of noise, repeated, so that large tensors cost no time to make. */
import { Philox } from "../core/random";
import { byteLength, type DType, type Tensor } from "../core/tensor";
import type { Memory } from "../gpu/memory";
import type { Fill } from "./trial";

/** A prime: no two rows, channels or samples of a tensor hold the same numbers in the same order. */
const PERIOD = 1048573;
const SEED = 7;
let block: Float32Array<ArrayBuffer> | undefined;

function noise(): Float32Array<ArrayBuffer> {
  if (block) return block;
  const random = new Philox(SEED);
  block = Float32Array.from({ length: PERIOD }, () => random.uniform(-1, 1));
  return block;
}

/** Element `i` of what {@link fillWith} writes, as the tensor holds it. */
export function noiseAt(fill: Fill, shift: number, dtype: DType): (i: number) => number {
  const values = noise();
  const round = dtype === "f16" ? Math.f16round : Math.fround;
  return (i) => round(fill(values[(i + shift) % PERIOD]!));
}

/** Fills a state tensor; `shift` (0 to PERIOD) makes the tensors of a trial differ. */
export function fillWith(memory: Memory, t: Tensor, fill: Fill, shift: number): void {
  const values = noise();
  const filled = new Float32Array(PERIOD);
  filled.set(values.subarray(shift));
  filled.set(values.subarray(0, shift), PERIOD - shift);
  for (let i = 0; i < PERIOD; i++) filled[i] = fill(filled[i]!);
  let words: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> = filled;
  if (t.dtype === "f16") {
    // Twice, for whole words.
    const halves = new Float16Array(2 * PERIOD);
    halves.set(filled);
    halves.set(filled, PERIOD);
    words = new Uint32Array(halves.buffer);
  }
  writeRepeated(memory, memory.bufferOf(t), words, byteLength(t) / 4);
}

/** Overwrites `count` words of a buffer with a block, again and again. */
export function writeRepeated(
  memory: Memory,
  buffer: GPUBuffer,
  words: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
  count: number,
): void {
  const { queue } = memory.device.device;
  for (let at = 0; at < count; at += words.length) {
    queue.writeBuffer(buffer, 4 * at, words, 0, Math.min(words.length, count - at));
    // Dawn holds the staging memory of a write until a submit follows.
    queue.submit([]);
  }
}
