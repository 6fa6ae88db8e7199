/** Tensors as the 32-bit words of their storage: encoding, decoding, and where elements lie. */

import { halfBits, halfValue } from "../core/half";
import type { DType, Shape, Tensor } from "../core/tensor";
import {
  byteLength,
  channelLayout,
  elements,
  RANGE_ALIGNMENT,
  rangeOf,
  state,
} from "../core/tensor";

/** Position in the storage of `t` of each of its elements. */
export function positionsOf(t: Tensor): Uint32Array {
  const count = elements(t.shape);
  if (!t.channels) return Uint32Array.from({ length: count }, (_, i) => (t.range?.offset ?? 0) + i);
  const [, C = 1, ...space] = t.shape;
  const S = elements(space);
  const { CT, C0 } = channelLayout(t);
  return Uint32Array.from({ length: count }, (_, i) => {
    const n = Math.floor(i / (C * S));
    return (n * CT + C0) * S + (i % (C * S));
  });
}

/** Word in the storage of `t` that holds each of its elements. */
export function wordsOf(t: Tensor): Uint32Array {
  const positions = positionsOf(t);
  return t.dtype === "f16" ? positions.map((at) => at >> 1) : positions;
}

/** Words of a storage that has no view. */
export function wordCount(t: Tensor): number {
  return byteLength(t) / 4;
}

/** The words of a storage as elements of a type; those of halves as their bits. */
function elementsIn({ buffer, byteOffset, byteLength: bytes }: Uint32Array, dtype: DType) {
  switch (dtype) {
    case "f16":
      return new Uint16Array(buffer, byteOffset, bytes / 2);
    case "f32":
      return new Float32Array(buffer, byteOffset, bytes / 4);
    case "i32":
      return new Int32Array(buffer, byteOffset, bytes / 4);
    case "u32":
      return new Uint32Array(buffer, byteOffset, bytes / 4);
    default:
      return dtype satisfies never;
  }
}

/** Writes the elements of `t` into the words of its storage. */
export function encode(values: Float64Array, t: Tensor, words: Uint32Array): void {
  const into = elementsIn(words, t.dtype);
  const coded = t.dtype === "f16" ? halfBits : (value: number) => value;
  for (const [i, at] of positionsOf(t).entries()) into[at] = coded(values[i]!);
}

/** The elements of `t` out of the words of its storage. */
export function decode(words: Uint32Array, t: Tensor): Float64Array {
  const from = elementsIn(words, t.dtype);
  const decoded = t.dtype === "f16" ? halfValue : (value: number) => value;
  return Float64Array.from(positionsOf(t), (at) => decoded(from[at]!));
}

export interface FlatParameters {
  readonly values: Readonly<Record<string, Tensor>>;
  readonly gradients: Readonly<Record<string, Tensor>>;
}

/** Ranges of one flat state buffer for named shapes, and ranges like them for their gradients. */
export function flatParameters(shapes: readonly (readonly [string, Shape])[]): FlatParameters {
  const offsets: number[] = [];
  let total = RANGE_ALIGNMENT;
  for (const [, shape] of shapes) {
    offsets.push(total);
    total += Math.ceil((elements(shape) + 1) / RANGE_ALIGNMENT) * RANGE_ALIGNMENT;
  }
  const ranges = (flat: Tensor) =>
    Object.fromEntries(
      shapes.map(([name, shape], i) => [name, rangeOf(flat, name, offsets[i]!, shape)]),
    );
  return {
    values: ranges(state("parameters", [total])),
    gradients: ranges(state("gradients", [total])),
  };
}
