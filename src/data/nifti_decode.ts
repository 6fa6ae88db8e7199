/** Decodes the bytes of a NIfTI file to voxels on a grid. No file system, no compression. */
import { UserError } from "../core/errors";
import { BYTES_PER_VOXEL, type NiftiInfo, parseHeader } from "./nifti_header";
import { type Mask, type Size3, type Volume, voxelAt } from "./volume";

/** The distance that a mask's voxel may have from 0 or 1: rounding of files that scale their values. */
const MASK_TOLERANCE = 1e-3;
/** Share of an image's voxels that may be infinite. */
const MOST_INFINITE = 0.01;

/** A file's additions to its voxels: its header, and a line for each thing decided by rule. */
export interface FromFile {
  readonly info: NiftiInfo;
  readonly notes: readonly string[];
}

/**
 * A 3-D image from the bytes of its file, not compressed: NIfTI-1 or NIfTI-2, any integer or float
 * type and byte order. Values are scaled by the header's slope and intercept; voxels stay in the
 * file's order, with the affine (mm, RAS+) that says where they lie. Voxels that are NaN or infinite
 * become 0, and a note counts them. The voxels of a float32 file may stay where they are: the bytes
 * belong to the volume then.
 *
 * @param name stands for the file in messages
 * @throws UserError when the file cannot be used; the message says why and what to do
 */
export function parseNifti(bytes: Uint8Array, name: string): Volume & FromFile {
  const notes: string[] = [];
  const info = parseHeader(bytes, name, notes);
  const data = decodeVoxels(bytes, info, name);
  refuseInfinite(data, name);
  const bad = zeroNonFinite(data);
  if (bad === data.length) {
    throw new UserError(
      `${name}: not one of its ${bad} voxels is a finite number; export the image again`,
    );
  }
  if (bad > 0) notes.push(`${name}: ${bad} voxels are NaN or infinite, set to 0`);
  return { size: info.size, affine: info.affine, data, info, notes };
}

/**
 * A binary mask from the bytes of its file, as `parseNifti`. Every value must be 0 or 1 within
 * 0.001. A mask without a single 1 is valid: a patient without new lesions.
 */
export function parseMask(bytes: Uint8Array, name: string): Mask & FromFile {
  const notes: string[] = [];
  const info = parseHeader(bytes, name, notes);
  const data = bits(bytes, info) ?? binaryValues(decodeVoxels(bytes, info, name), info.size, name);
  return { size: info.size, affine: info.affine, data, info, notes };
}

/** The voxels of a file of plain bytes 0 and 1, as most masks are; undefined for any other. */
function bits(bytes: Uint8Array, info: NiftiInfo): Uint8Array | undefined {
  const { size, voxelType, offset, slope, intercept } = info;
  const end = offset + size[0] * size[1] * size[2];
  if (voxelType !== "uint8" || slope !== 1 || intercept !== 0 || end > bytes.length)
    return undefined;
  // A copy: a Buffer's own slice would share its memory, which readers use again.
  const data = new Uint8Array(bytes.subarray(offset, end));
  for (let i = 0; i < data.length; i++) if (data[i]! > 1) return undefined;
  return data;
}

/** The voxels as float32, scaled. int64 and uint64 are rounded to the nearest float32. */
function decodeVoxels(bytes: Uint8Array, info: NiftiInfo, name: string): Float32Array {
  const { size, voxelType, offset } = info;
  const count = size[0] * size[1] * size[2];
  const width = BYTES_PER_VOXEL[voxelType];
  if (offset + count * width > bytes.length) {
    throw new UserError(
      `${name}: the file is cut off: ${Math.max(0, bytes.length - offset)} bytes of voxels after ` +
        `vox_offset ${offset}, expected ${count * width} (${size.join("×")} of ${voxelType}); ` +
        "copy it again from its source",
    );
  }
  const raw = alignedBytes(bytes, offset, count * width, width, info.littleEndian);
  const view = [raw.buffer, raw.byteOffset, count] as const;
  switch (voxelType) {
    case "uint8":
      return scaled(new Uint8Array(...view), info);
    case "int8":
      return scaled(new Int8Array(...view), info);
    case "int16":
      return scaled(new Int16Array(...view), info);
    case "uint16":
      return scaled(new Uint16Array(...view), info);
    case "int32":
      return scaled(new Int32Array(...view), info);
    case "uint32":
      return scaled(new Uint32Array(...view), info);
    case "float32":
      return scaled(new Float32Array(...view), info);
    case "float64":
      return scaled(new Float64Array(...view), info);
    case "int64":
      return scaled(wideIntegers(raw, count, true), info);
    case "uint64":
      return scaled(wideIntegers(raw, count, false), info);
    default:
      return voxelType satisfies never;
  }
}

/** The voxels' bytes in the machine's order (little-endian wherever WebGPU runs), aligned. */
function alignedBytes(
  bytes: Uint8Array,
  offset: number,
  length: number,
  width: 1 | 2 | 4 | 8,
  littleEndian: boolean,
): Uint8Array {
  const part = bytes.subarray(offset, offset + length);
  const swap = !littleEndian && width > 1;
  if (!swap && part.byteOffset % width === 0) return part;
  const copy = new Uint8Array(length);
  copy.set(part);
  if (swap) swapBytes(copy, width);
  return copy;
}

/** Reverses the bytes of each value, in place. */
function swapBytes(bytes: Uint8Array, width: number): void {
  for (let first = 0; first < bytes.length; first += width) {
    for (let a = first, b = first + width - 1; a < b; a++, b--) {
      const byte = bytes[a]!;
      bytes[a] = bytes[b]!;
      bytes[b] = byte;
    }
  }
}

/** 64-bit integers as doubles; ten times as fast as through BigInt. */
function wideIntegers(raw: Uint8Array, count: number, signed: boolean): Float64Array {
  const low = new Uint32Array(raw.buffer, raw.byteOffset, 2 * count);
  const high = signed ? new Int32Array(raw.buffer, raw.byteOffset, 2 * count) : low;
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = high[2 * i + 1]! * 2 ** 32 + low[2 * i]!;
  return values;
}

function scaled(stored: ArrayLike<number>, { slope, intercept }: NiftiInfo): Float32Array {
  if (slope === 1 && intercept === 0) {
    return stored instanceof Float32Array ? stored : new Float32Array(stored);
  }
  const data = new Float32Array(stored.length);
  for (let i = 0; i < data.length; i++) data[i] = stored[i]! * slope + intercept;
  return data;
}

/** Some infinite voxels mean "missing"; many are an image in float64 that float32 cannot hold. */
function refuseInfinite(data: Float32Array, name: string): void {
  let count = 0;
  for (let i = 0; i < data.length; i++)
    if (Math.abs(data[i]!) === Number.POSITIVE_INFINITY) count++;
  if (count <= MOST_INFINITE * data.length || count === data.length) return;
  throw new UserError(
    `${name}: ${count} of ${data.length} voxels are infinite, or pass 3.4e38, the largest number of ` +
      "float32; divide the image by a constant, or export it again",
  );
}

/** Sets NaN and ±infinity to 0, in place; how many there were. */
function zeroNonFinite(data: Float32Array): number {
  let count = 0;
  for (let i = 0; i < data.length; i++) {
    // v − v is 0 for every finite number, NaN for the rest.
    const value = data[i]!;
    if (value - value !== 0) {
      data[i] = 0;
      count++;
    }
  }
  return count;
}

/** The way to a mask: every positive label counts, a probability only from a half on. */
function remedy(values: Float32Array): string {
  const isProbability = values.every((value) => value >= 0 && value <= 1 + MASK_TOLERANCE);
  return isProbability
    ? "if it is a map of probabilities, threshold it first, e.g. with fslmaths IN -thr 0.5 -bin OUT"
    : "binarise it first, e.g. with fslmaths IN -bin OUT";
}

function binaryValues(values: Float32Array, size: Size3, name: string): Uint8Array {
  const data = new Uint8Array(values.length);
  let bad = 0;
  let first = -1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const bit = value > 0.5 ? 1 : 0;
    data[i] = bit;
    if (!(Math.abs(value - bit) <= MASK_TOLERANCE)) {
      bad++;
      if (first < 0) first = i;
    }
  }
  if (bad > 0) {
    throw new UserError(
      `${name}: not a binary mask: value ${Number(values[first]!.toPrecision(6))} at voxel ` +
        `(${voxelAt(first, size).join(", ")}), ${bad} of ${values.length} voxels are neither 0 nor 1; ` +
        `expected 0 and 1 only; ${remedy(values)}`,
    );
  }
  return data;
}
