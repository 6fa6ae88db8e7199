/** A place that tensors are copied to, one after the other, for the host to read at once. */
import type { Tensor } from "../core/tensor";
import { byteLength } from "../core/tensor";
import type { Memory } from "./memory";

export class Staging {
  private readonly buffer: GPUBuffer;

  /** @param length 32-bit words */
  constructor(
    private readonly memory: Memory,
    label: string,
    length: number,
  ) {
    this.buffer = memory.staging(label, 4 * length);
  }

  /** Copies a state tensor, as it is after everything submitted so far, to word `at`. */
  copy(t: Tensor, at: number): void {
    const { device } = this.memory.device;
    const encoder = device.createCommandEncoder({ label: `copy ${t.name}` });
    const from = (t.range?.offset ?? 0) * 4;
    encoder.copyBufferToBuffer(this.memory.bufferOf(t), from, this.buffer, 4 * at, byteLength(t));
    this.memory.device.submit(encoder.finish(), `copy ${t.name}`);
  }

  /** Everything that was copied, once the device is done with it. */
  async read(): Promise<Float32Array> {
    await this.memory.device.wait(this.buffer.mapAsync(GPUMapMode.READ));
    const values = new Float32Array(this.buffer.getMappedRange().slice(0));
    this.buffer.unmap();
    return values;
  }

  destroy(): void {
    this.buffer.destroy();
  }
}
