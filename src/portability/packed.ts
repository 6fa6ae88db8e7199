/**
 * Dispatches with everything that they need, as JSON, for a stand-alone reproduction. Buffers are the
 * base64 of their bytes.
 */
import type { DType } from "../core/tensor";

export interface PackedDispatch {
  /** Name of the kernel. */
  readonly kernel: string;
  readonly wgsl: string;
  readonly workgroups: readonly [number, number, number];
  /** In binding order, as positions in the list of buffers. */
  readonly buffers: readonly number[];
  /** First byte of each, and how many are bound. */
  readonly ranges: readonly (readonly [offset: number, size: number])[];
  readonly access: readonly ("read" | "read_write")[];
  /** u32 fields of the uniform at the last binding; empty: there is none. */
  readonly args: readonly number[];
}

export interface PackedBuffer {
  readonly name: string;
  readonly type: DType;
  readonly data: string;
}

export interface Packed {
  readonly features: readonly string[];
  readonly buffers: readonly PackedBuffer[];
  readonly dispatches: readonly PackedDispatch[];
}

/** The right values of a tensor after the last dispatch. */
export interface Expectation {
  readonly name: string;
  /** Position in the list of buffers. */
  readonly buffer: number;
  readonly type: DType;
  readonly shape: readonly number[];
  /** Only some elements of the tensor are known. */
  readonly partial?: boolean;
  /** Where each element lies in the buffer, in elements of the type: u32, base64. */
  readonly positions: string;
  /** float64, base64. */
  readonly values: string;
  readonly bounds: string;
}

export interface Dissection {
  /** The whole case. */
  readonly packed: Packed;
  /** The words of every buffer before each dispatch, and after the last. */
  readonly states: readonly (readonly string[])[];
  readonly expected: readonly Expectation[];
  /** What the suite found wrong. */
  readonly faults: readonly string[];
}

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
