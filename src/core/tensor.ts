/**
 * Symbolic tensors: a name, a shape and a type, no data. Activations are (N, C, D, H, W) with x
 * fastest, as in PyTorch; storage is given to them when a graph is planned (src/gpu/plan.ts).
 */
import type { Graph } from "./graph";

/** f16 only where activations are stored; they are computed with as f32. */
export type DType = "f32" | "f16" | "u32" | "i32";
/** The storage of activations. */
export type Precision = "f32" | "f16";
export type Shape = readonly number[];

/** Offsets of bound ranges must be multiples of this many elements (256 bytes) on every adapter. */
export const RANGE_ALIGNMENT = 64;

export interface Tensor {
  readonly id: number;
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  /** "state" outlives a program run (weights, moments, volumes); "temp" is planned and reused. */
  readonly kind: "state" | "temp";
  /** A contiguous range of `base`, from element `offset` on (a multiple of RANGE_ALIGNMENT). */
  readonly range?: { readonly base: Tensor; readonly offset: number };
  /** Channels [first, first + C) of `base` (N, CT, …): rows of one sample stay contiguous. */
  readonly channels?: { readonly base: Tensor; readonly first: number };
  /** Set while nothing has written the tensor: what it is made of. See `Graph.materialise`. */
  readonly deferred?: Deferred;
}

/**
 * A tensor that is a cheap map of others, and is not written until a reader needs it in memory:
 * readers that can compute it from `inputs` on the way save a pass over memory.
 */
export interface Deferred {
  /** Which map: readers know some of them. */
  readonly kind: string;
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Where it goes when it is written; a new temporary if absent. */
  readonly out?: Tensor;
  /** Emits the kernels that write it to `into`. */
  readonly write: (g: Graph, into: Tensor) => void;
}

let nextId = 1;

export function makeTensor(
  name: string,
  shape: Shape,
  kind: "state" | "temp" = "temp",
  dtype: DType = "f32",
): Tensor {
  for (const n of shape) {
    if (!Number.isInteger(n) || n < 1) {
      throw new Error(`tensor ${name}: shape [${shape}] must hold positive whole numbers`);
    }
  }
  return { id: nextId++, name, shape: [...shape], dtype, kind };
}

/** A temporary that is not written yet. */
export function deferredTensor(
  name: string,
  shape: Shape,
  deferred: Deferred,
  dtype: DType = "f32",
): Tensor {
  return { ...makeTensor(name, shape, "temp", dtype), deferred };
}

/** A tensor that lives across program runs. */
export function state(name: string, shape: Shape, dtype: DType = "f32"): Tensor {
  return makeTensor(name, shape, "state", dtype);
}

export function elements(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Bytes, a whole number of words. */
export function byteLength({ shape, dtype }: Tensor): number {
  return dtype === "f16" ? Math.ceil(elements(shape) / 2) * 4 : elements(shape) * 4;
}

/** `16×2×32×32×32`, for messages. */
export function showShape(shape: Shape): string {
  return shape.join("×");
}

/** A tensor on `count` contiguous elements of `base`: how named weights lie in one flat buffer. */
export function rangeOf(base: Tensor, name: string, offset: number, shape: Shape): Tensor {
  if (base.range || base.channels) throw new Error(`rangeOf ${name}: ${base.name} is a view`);
  if (offset % RANGE_ALIGNMENT !== 0) {
    throw new Error(`rangeOf ${name}: offset ${offset} is not a multiple of ${RANGE_ALIGNMENT}`);
  }
  if (offset + elements(shape) > elements(base.shape)) {
    throw new Error(`rangeOf ${name}: [${offset}, +${elements(shape)}) passes ${base.name}'s end`);
  }
  const { dtype, kind } = base;
  return { id: nextId++, name, shape: [...shape], dtype, kind, range: { base, offset } };
}

/** Channels [first, first + count) of `base`, written and read in place by kernels that allow it. */
export function channelsOf(base: Tensor, first: number, count: number): Tensor {
  if (base.range || base.channels) throw new Error(`channelsOf: ${base.name} is a view`);
  const [n, total, ...space] = base.shape;
  if (n === undefined || total === undefined || first < 0 || first + count > total) {
    throw new Error(`channelsOf: ${base.name} (${showShape(base.shape)}) lacks ${first}+${count}`);
  }
  const name = `${base.name}[${first}:${first + count}]`;
  const { dtype, kind } = base;
  const shape = [n, count, ...space];
  return { id: nextId++, name, shape, dtype, kind, channels: { base, first } };
}

/** Sizes of a tensor of volumes, as the shaders name them. */
export type VolumeSizes = Readonly<Record<"N" | "C" | "D" | "H" | "W", number>>;

/** Those of a shape (N, C, D, H, W). */
export function volumeSizes([N = 0, C = 0, D = 0, H = 0, W = 0]: Shape): VolumeSizes {
  return { N, C, D, H, W };
}

/** The tensor whose storage `t` uses: itself, or the base of a view. */
export function storageOf(t: Tensor): Tensor {
  return t.range?.base ?? t.channels?.base ?? t;
}

/**
 * Where the channels of `t` lie in its storage: `CT` channels a sample, the first of ours at `C0`.
 * A plain tensor gives { CT: C, C0: 0 }.
 */
export function channelLayout(t: Tensor): { CT: number; C0: number } {
  const base = t.channels?.base ?? t;
  return { CT: base.shape[1] ?? 1, C0: t.channels?.first ?? 0 };
}
