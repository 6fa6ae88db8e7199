/** The few Vulkan structures that compiling a compute pipeline takes, as bytes (64-bit layouts of vulkan_core.h). */
import { ptr } from "bun:ffi";

/** `sType` of each structure that is made here. */
export const TYPE = {
  applicationInfo: 0,
  instance: 1,
  queue: 2,
  device: 3,
  shaderModule: 16,
  shaderStage: 18,
  computePipeline: 29,
  pipelineLayout: 30,
  descriptorSetLayout: 32,
  vulkan11Features: 49,
  vulkan12Features: 51,
  vulkan13Features: 53,
  features2: 1000059000,
  properties2: 1000059001,
  driverProperties: 1000196000,
  executableFeatures: 1000269000,
  pipelineInfo: 1000269001,
  executableProperties: 1000269002,
  executableInfo: 1000269003,
  executableStatistic: 1000269004,
  robustness2Features: 1000286000,
} as const;

/** Addresses are below 2^53 in user space, as bun:ffi has them. */
export type Address = number | bigint;

/** A structure that is filled field by field, each at its natural alignment. */
export class Struct {
  private readonly bytes: Buffer;
  private at = 0;
  /** What its pointers lead to: alive as long as it is. */
  private readonly kept: unknown[] = [];

  constructor(size: number) {
    this.bytes = Buffer.alloc(size);
  }

  /** With `sType` and `pNext`. */
  static of(type: number, size: number, next?: Struct): Struct {
    return new Struct(size).u32(type).pointer(next);
  }

  u32(...values: readonly number[]): this {
    for (const value of values) {
      this.bytes.writeUInt32LE(value, this.at);
      this.at += 4;
    }
    return this;
  }

  u64(value: Address): this {
    this.at = Math.ceil(this.at / 8) * 8;
    this.bytes.writeBigUInt64LE(BigInt(value), this.at);
    this.at += 8;
    return this;
  }

  /** To another structure, bytes, or nothing. */
  pointer(to?: Struct | Uint8Array): this {
    if (!to) return this.u64(0);
    this.kept.push(to);
    return this.u64(to instanceof Struct ? to.address : ptr(to));
  }

  /** The bytes of another structure, in its place. */
  inside(other: Struct): this {
    this.at = Math.ceil(this.at / 8) * 8;
    this.bytes.set(other.bytes, this.at);
    this.at += other.bytes.length;
    this.kept.push(other);
    return this;
  }

  get address(): number {
    return ptr(this.bytes);
  }

  /** For what the driver has written. */
  get data(): Buffer {
    return this.bytes;
  }
}

export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** A fixed array of characters in what the driver has written. */
export function textAt(bytes: Buffer, at: number, length = 256): string {
  const field = bytes.subarray(at, at + length);
  return field.subarray(0, Math.max(0, field.indexOf(0))).toString();
}
