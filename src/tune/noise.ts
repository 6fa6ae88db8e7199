/** Random inputs: one block of noise, repeated, so that large tensors cost no time to make. */
import { Philox } from "../core/random";
import type { Tensor } from "../core/tensor";
import { elements } from "../core/tensor";
import type { Fill } from "../core/trial";
import type { Memory } from "../gpu/memory";

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

/** Element `i` of what {@link fillWith} writes, as float32 holds it. */
export function noiseAt(fill: Fill, shift: number): (i: number) => number {
  const values = noise();
  return (i) => Math.fround(fill(values[(i + shift) % PERIOD]!));
}

/** Fills a state tensor; `shift` (0 to PERIOD) makes the tensors of a trial differ. */
export function fillWith(memory: Memory, t: Tensor, fill: Fill, shift: number): void {
  const values = noise();
  const shifted = new Float32Array(PERIOD);
  shifted.set(values.subarray(shift));
  shifted.set(values.subarray(0, shift), PERIOD - shift);
  writeRepeated(
    memory,
    memory.bufferOf(t),
    shifted.map((random) => fill(random)),
    elements(t.shape),
  );
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
