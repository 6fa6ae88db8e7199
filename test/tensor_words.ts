/** Tensors as the 32-bit words of their storage: encoding, decoding, and where elements lie. */
import type { DType, Shape, Tensor } from "../src/core/tensor";
import {
  byteLength,
  channelLayout,
  elements,
  RANGE_ALIGNMENT,
  rangeOf,
  state,
} from "../src/core/tensor";

/** Word in the storage of `t` for each of its elements. */
export function wordsOf(t: Tensor): Uint32Array {
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

/** Words of a storage that has no view. */
export function wordCount(t: Tensor): number {
  return byteLength(t) / 4;
}

export function encode(values: Float64Array, dtype: DType): Uint32Array {
  if (dtype === "f32") return new Uint32Array(Float32Array.from(values).buffer);
  return Uint32Array.from(values, (v) => v >>> 0);
}

export function decode(words: Uint32Array<ArrayBuffer>, dtype: DType): Float64Array {
  if (dtype === "u32") return Float64Array.from(words);
  const { buffer, byteOffset, length } = words;
  const View = dtype === "f32" ? Float32Array : Int32Array;
  return Float64Array.from(new View(buffer, byteOffset, length));
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
