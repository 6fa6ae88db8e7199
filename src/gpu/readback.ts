/** A ring of staging buffers: results come back without stalling the queue. */
import type { Tensor } from "../core/tensor";
import { byteLength } from "../core/tensor";
import type { Memory } from "./memory";

export class ReadbackRing {
  private readonly free: GPUBuffer[];
  private readonly pending = new Set<Promise<void>>();
  private failure: unknown;

  /** @param source a state tensor that is read again and again */
  constructor(
    private readonly memory: Memory,
    private readonly source: Tensor,
    buffers = 3,
  ) {
    this.free = Array.from({ length: buffers }, (_, i) =>
      memory.staging(`readback ${source.name} ${i}`, byteLength(source)),
    );
  }

  /**
   * Copies the tensor as it is after everything submitted so far, and calls `handle` once the copy
   * is on the host. Waits for the oldest request when all buffers are in use.
   */
  async request(handle: (values: Float32Array) => void): Promise<void> {
    if (this.free.length === 0) await this.memory.device.wait(Promise.race(this.pending));
    await this.check();
    const buffer = this.free.pop()!;
    const { device } = this.memory.device;
    const encoder = device.createCommandEncoder({ label: "readback" });
    const from = this.memory.bufferOf(this.source);
    encoder.copyBufferToBuffer(from, 0, buffer, 0, buffer.size);
    this.memory.device.submit(encoder.finish(), `readback ${this.source.name}`);
    const done = buffer
      .mapAsync(GPUMapMode.READ)
      .then(() => {
        const values = new Float32Array(buffer.getMappedRange().slice(0));
        buffer.unmap();
        this.free.push(buffer);
        handle(values);
      })
      .catch((error: unknown) => {
        this.failure ??= error;
      })
      .finally(() => this.pending.delete(done));
    this.pending.add(done);
  }

  /** Throws the first error of a copy or of its handler. */
  private async check(): Promise<void> {
    if (this.failure !== undefined) throw await this.memory.device.causeOf(this.failure);
  }

  /** Waits until every requested copy has been handled. */
  async drain(): Promise<void> {
    if (this.pending.size > 0) await this.memory.device.wait(Promise.all(this.pending));
    await this.check();
  }

  destroy(): void {
    for (const buffer of this.free) buffer.destroy();
  }
}
