import { NIFTI1, NIFTI2 } from "nifti-reader-js";
import { UserError } from "../core/errors";
import { type Geometry, readGeometry } from "./nifti_geometry";
import { NIFTI_HEADER, niftiVersion } from "./nifti_version";
import type { Size3 } from "./volume";

export type VoxelType =
  | "uint8"
  | "int8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float32"
  | "float64";

/** A NIfTI file's statements about its voxels. */
export interface NiftiInfo extends Geometry {
  readonly version: 1 | 2;
  readonly size: Size3;
  readonly voxelType: VoxelType;
  readonly littleEndian: boolean;
  /** Byte position of the first voxel. */
  readonly offset: number;
  /** value = stored · slope + intercept; 1 and 0 where the file asks for no scaling. */
  readonly slope: number;
  readonly intercept: number;
}

export const BYTES_PER_VOXEL: Readonly<Record<VoxelType, 1 | 2 | 4 | 8>> = {
  uint8: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
};

const VOXEL_TYPES: Readonly<Record<number, VoxelType>> = {
  2: "uint8",
  4: "int16",
  8: "int32",
  16: "float32",
  64: "float64",
  256: "int8",
  512: "uint16",
  768: "uint32",
  1024: "int64",
  1280: "uint64",
};

const UNSUPPORTED_TYPES: Readonly<Record<number, string>> = {
  1: "binary (1 bit)",
  32: "complex64",
  128: "RGB24",
  1536: "float128",
  1792: "complex128",
  2048: "complex256",
  2304: "RGBA32",
};

/** Bytes that hold either version's header. */
export const HEADER_BYTES = NIFTI_HEADER[2];
/** Bytes that the voxels may take, as stored or as float32: what one array can hold. */
const MOST_BYTES = 2 ** 32 - 1;
/** Bytes that extensions of the header may take. */
const MOST_EXTENSIONS = 2 ** 28;

/**
 * Reads and checks the header of an uncompressed single-file NIfTI-1 or NIfTI-2 image.
 *
 * nifti-reader-js decodes the fields; everything it takes on trust is checked here. It is handed
 * the bare header, because it follows header extensions without bounds, and its affine is not used,
 * because it prefers the qform when its code is the larger one.
 *
 * @param notes collects a line for each thing that was not as it should be and was decided by rule
 * @throws UserError that names the file, what was found and what to do
 */
export function parseHeader(bytes: Uint8Array, name: string, notes: string[]): NiftiInfo {
  const version = niftiVersion(bytes, name);
  const length = NIFTI_HEADER[version];
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(0, length));
  const header = version === 1 ? new NIFTI1() : new NIFTI2();
  header.readHeader(copy.buffer);

  const type = voxelType(header, name);
  const size = imageSize(header.dims, BYTES_PER_VOXEL[type], name);
  return {
    version,
    size,
    ...readGeometry(header, new DataView(copy.buffer), size, name, notes),
    voxelType: type,
    littleEndian: header.littleEndian,
    offset: voxelOffset(header.vox_offset, length, name),
    ...scaling(header, name),
  };
}

/**
 * The number of bytes from the start of a file to the end of its last voxel, as its header says.
 * @param bytes the first `HEADER_BYTES` of the file or more, not compressed
 * @throws UserError as `parseHeader`
 */
export function promisedBytes(bytes: Uint8Array, name: string): number {
  const { offset, size, voxelType } = parseHeader(bytes, name, []);
  return offset + size[0] * size[1] * size[2] * BYTES_PER_VOXEL[voxelType];
}

function imageSize(dims: readonly number[], width: number, name: string): Size3 {
  const count = dims[0]!;
  const listed = dims.slice(1, Math.min(Math.max(count, 3), 7) + 1).join("×");
  if (count < 1 || count > 7 || dims.slice(1, count + 1).some((n) => n < 0)) {
    throw new UserError(
      `${name}: bad dimensions in the header (dim[0] = ${count}, sizes ${listed}); ` +
        "the header is damaged, export the image again",
    );
  }
  if (count < 3) {
    throw new UserError(`${name}: a ${count}-D image (${listed}); expected a 3-D volume`);
  }
  const extra = dims.slice(4, count + 1).findIndex((n) => n > 1);
  if (extra >= 0) {
    throw new UserError(
      `${name}: a ${extra + 4}-D image (${listed}); expected one 3-D volume; ` +
        "extract it first, e.g. with fslroi IN OUT 0 1",
    );
  }
  const size: Size3 = [dims[1]!, dims[2]!, dims[3]!];
  if (size.some((n) => n < 1)) {
    throw new UserError(
      `${name}: bad dimensions in the header (${size.join("×")} voxels); ` +
        "the header is damaged, export the image again",
    );
  }
  if (size[0] * size[1] * size[2] * Math.max(width, 4) > MOST_BYTES) {
    throw new UserError(
      `${name}: ${size.join("×")} voxels take more than 4 GiB; expected the scan of a head; ` +
        "crop or resample it, or export it again if its header is damaged",
    );
  }
  return size;
}

function voxelType({ datatypeCode: code, numBitsPerVoxel }: NIFTI1 | NIFTI2, name: string) {
  const type = VOXEL_TYPES[code];
  if (type) {
    const bits = 8 * BYTES_PER_VOXEL[type];
    // Some writers leave bitpix empty: it says nothing then.
    if (numBitsPerVoxel === bits || numBitsPerVoxel === 0) return type;
    throw new UserError(
      `${name}: the header contradicts itself: bitpix ${numBitsPerVoxel}, but datatype ${code} ` +
        `(${type}) has ${bits} bits a voxel; the header is damaged, export the image again`,
    );
  }
  const known = UNSUPPORTED_TYPES[code];
  throw new UserError(
    `${name}: ${known ? `voxel type ${known} is not supported` : `unknown voxel type ${code}`}; ` +
      "expected integers or float32/float64; convert it, e.g. with fslmaths IN OUT -odt float",
  );
}

function voxelOffset(offset: number, headerSize: number, name: string): number {
  // Four bytes that announce extensions follow the header of a single file.
  const [least, most] = [headerSize + 4, headerSize + MOST_EXTENSIONS];
  // 0 is what tools leave that write pairs of files; nibabel takes it as the first place there is.
  if (offset === 0) return least;
  if (Number.isInteger(offset) && offset >= least && offset <= most) return offset;
  throw new UserError(
    `${name}: bad vox_offset ${offset} in the header (expected ${least} to ${most}); ` +
      "the file is damaged, export it again",
  );
}

function scaling(header: NIFTI1 | NIFTI2, name: string): { slope: number; intercept: number } {
  const { scl_slope: slope, scl_inter: intercept } = header;
  // The standard turns scaling off by slope 0; nibabel writes NaN for the same.
  if (slope === 0 || !Number.isFinite(slope)) return { slope: 1, intercept: 0 };
  if (Number.isFinite(intercept)) return { slope, intercept };
  throw new UserError(
    `${name}: scl_inter is ${intercept} in the header; expected a number; ` +
      "set scl_slope to 0 for unscaled data, or export the image again",
  );
}
