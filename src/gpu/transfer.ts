/** Moves ranges of float32 tensors between buffers of a device, and to the host without detours. */
import type { Tensor } from "../core/tensor";
import type { Memory } from "./memory";

/** A place in a buffer of 32-bit elements. */
export interface Place {
  readonly buffer: GPUBuffer;
  /** Elements before it. */
  readonly at: number;
}

/** Element `at` of a state tensor that is no view. */
export function placeIn(memory: Memory, t: Tensor, at = 0): Place {
  return { buffer: memory.bufferOf(t), at };
}

/** Copies `count` elements from one buffer to another one. */
export function copyElements(memory: Memory, from: Place, to: Place, count: number): void {
  const encoder = memory.device.device.createCommandEncoder({ label: "copy" });
  encoder.copyBufferToBuffer(from.buffer, 4 * from.at, to.buffer, 4 * to.at, 4 * count);
  memory.device.submit(encoder.finish(), "copy");
}

/** Elements of a staging buffer: large enough to keep waits few, small beside a volume. */
const PIECE = 8 * 2 ** 20;

/**
 * Copies `target.length` elements into `target`, through two staging buffers in turn: the device
 * fills one while the host empties the other.
 */
export async function readInto(memory: Memory, from: Place, target: Float32Array): Promise<void> {
  const { device } = memory.device;
  const most = Math.min(PIECE, target.length);
  const staging = [0, 1].map((i) => memory.staging(`read ${i}`, 4 * most));
  const request = (piece: number) => {
    const start = piece * most;
    const count = Math.min(most, target.length - start);
    if (count <= 0) return undefined;
    const buffer = staging[piece % 2]!;
    const encoder = device.createCommandEncoder({ label: "read" });
    encoder.copyBufferToBuffer(from.buffer, 4 * (from.at + start), buffer, 0, 4 * count);
    memory.device.submit(encoder.finish(), "read");
    const mapped = buffer.mapAsync(GPUMapMode.READ, 0, 4 * count);
    mapped.catch(() => {}); // nobody waits for it where an earlier piece fails
    return { buffer, start, count, mapped };
  };
  try {
    let next = request(0);
    for (let piece = 1; next; piece++) {
      const { buffer, start, count, mapped } = next;
      next = request(piece);
      await memory.device.wait(mapped);
      target.set(new Float32Array(buffer.getMappedRange(0, 4 * count)), start);
      buffer.unmap();
    }
  } finally {
    for (const buffer of staging) buffer.destroy();
  }
}
