/** Buffers of one device: states by tensor, allocation with accounting, upload and read-back. */
import type { Tensor } from "../core/tensor";
import { byteLength, storageOf } from "../core/tensor";
import { type Device, outOfMemory } from "./device";
import { PipelineCache } from "./shader";

export type TensorData = Float32Array | Uint32Array | Int32Array;

const UPLOAD_CHUNK = 16 * 2 ** 20;

export class Memory {
  readonly pipelines: PipelineCache;
  private readonly states = new Map<number, GPUBuffer>();
  private bytes = 0;

  /**
   * @param guardWords extra 32-bit words after every buffer, inside its bindings: tests fill them
   * and see whether a kernel wrote past its output
   */
  constructor(
    readonly device: Device,
    readonly guardWords = 0,
  ) {
    this.pipelines = new PipelineCache(device.device);
  }

  /** Bytes of all live storage buffers. */
  get allocatedBytes(): number {
    return this.bytes;
  }

  /** @throws UserError for more than a buffer of the adapter holds */
  allocate(label: string, bytes: number): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 4) * 4) + this.guardWords * 4;
    const { maxBufferSize } = this.device.limits;
    if (size > maxBufferSize) {
      const [wanted, most] = [size, maxBufferSize].map((n) => `${(n / 2 ** 20).toFixed(0)} MiB`);
      throw outOfMemory(
        `${label} takes ${wanted}, a buffer of ${this.device.info.name} holds ${most}`,
      );
    }
    this.bytes += size;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    return this.device.device.createBuffer({ label, size, usage });
  }

  /** A buffer that results are copied into for the host; not counted, the caller destroys it. */
  staging(label: string, size: number): GPUBuffer {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return this.device.device.createBuffer({ label, size, usage });
  }

  free(buffer: GPUBuffer): void {
    this.bytes -= buffer.size;
    buffer.destroy();
  }

  /** The buffer of a state tensor (or of a view's base), made zero-filled on first use. */
  bufferOf(t: Tensor): GPUBuffer {
    const s = storageOf(t);
    if (s.kind !== "state")
      throw new Error(`${s.name} is a temporary: it has no buffer of its own`);
    let buffer = this.states.get(s.id);
    if (!buffer) {
      buffer = this.allocate(s.name, byteLength(s));
      this.states.set(s.id, buffer);
    }
    return buffer;
  }

  /** Releases the buffer of a state tensor. */
  release(t: Tensor): void {
    const buffer = this.states.get(t.id);
    if (!buffer) return;
    this.states.delete(t.id);
    this.free(buffer);
  }

  /** Uploads into a state tensor or a range of one, from element `at` on. */
  write(t: Tensor, data: TensorData, at = 0): void {
    if ((at + data.length) * 4 > byteLength(t)) {
      throw new Error(
        `write ${t.name}: ${at} + ${data.length} elements pass its shape [${t.shape}]`,
      );
    }
    const buffer = this.bufferOf(t);
    const start = ((t.range?.offset ?? 0) + at) * 4;
    const { queue } = this.device.device;
    const source = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    for (let done = 0; done < source.byteLength; done += UPLOAD_CHUNK) {
      const part = source.subarray(done, done + UPLOAD_CHUNK);
      queue.writeBuffer(buffer, start + done, part as Uint8Array<ArrayBuffer>);
      // Dawn holds the staging memory of a write until a submit follows.
      if (source.byteLength > UPLOAD_CHUNK) queue.submit([]);
    }
  }

  /** Reads a tensor's whole storage range back; `buffer` for a program's kept temporary. */
  async read(t: Tensor, buffer: GPUBuffer = this.bufferOf(t)): Promise<ArrayBuffer> {
    const bytes = byteLength(t);
    const { device } = this.device;
    const staging = this.staging("read", bytes);
    const encoder = device.createCommandEncoder({ label: `read ${t.name}` });
    encoder.copyBufferToBuffer(buffer, (t.range?.offset ?? 0) * 4, staging, 0, bytes);
    this.device.submit(encoder.finish(), `read ${t.name}`);
    await this.device.wait(staging.mapAsync(GPUMapMode.READ));
    const copy = staging.getMappedRange().slice(0);
    staging.destroy();
    return copy;
  }

  async readF32(t: Tensor, buffer?: GPUBuffer): Promise<Float32Array> {
    return new Float32Array(await this.read(t, buffer));
  }

  async readU32(t: Tensor, buffer?: GPUBuffer): Promise<Uint32Array> {
    return new Uint32Array(await this.read(t, buffer));
  }

  /**
   * Runs `make` inside error scopes; a validation error or lack of memory becomes an exception
   * that names `what`.
   */
  async checked<T>(what: string, make: () => T): Promise<T> {
    const { device } = this.device;
    device.pushErrorScope("out-of-memory");
    device.pushErrorScope("validation");
    let result: T;
    let failure: unknown;
    try {
      result = make();
    } catch (error) {
      failure = error;
    }
    const scopes = [device.popErrorScope(), device.popErrorScope()];
    const [invalid, memory] = await this.device.wait(Promise.all(scopes));
    if (failure) throw failure;
    // What is made of a buffer that did not fit is invalid too.
    if (memory) {
      const used = (this.bytes / 2 ** 20).toFixed(0);
      const { name } = this.device.info;
      throw outOfMemory(`${what}: ${name} is out of memory with ${used} MiB allocated`);
    }
    if (invalid) throw new Error(`${what}: ${invalid.message}`);
    return result!;
  }
}
