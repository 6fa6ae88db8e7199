import { NIFTI1, NIFTI2 } from "nifti-reader-js";
import { UserError } from "../core/errors";
import { isInvertible } from "./affine";
import { type Affine, type Size3, voxelSize } from "./volume";

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

/** What a NIfTI file says about its voxels. */
export interface NiftiInfo {
  readonly version: 1 | 2;
  readonly size: Size3;
  readonly affine: Affine;
  /** Which part of the header the affine comes from; "pixdim" has no orientation and no origin. */
  readonly geometry: "sform" | "qform" | "pixdim";
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

/** Bytes that hold the longest header, NIfTI-2's. */
export const HEADER_BYTES = 540;
/** Bytes that the voxels may take, as stored or as float32: what one array can hold. */
const MOST_BYTES = 2 ** 32 - 1;
/** Bytes that extensions of the header may take. */
const MOST_EXTENSIONS = 2 ** 28;

/** Plausible edge of a voxel in mm; beyond it the header's units or sizes are wrong. */
const VOXEL_EDGE_MM = [0.01, 100] as const;

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
  const length = version === 1 ? NIFTI1.MAGIC_COOKIE : NIFTI2.MAGIC_COOKIE;
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(0, length));
  const header = version === 1 ? new NIFTI1() : new NIFTI2();
  header.readHeader(copy.buffer);

  const type = voxelType(header.datatypeCode, name);
  const { affine, geometry } = readGeometry(header, new DataView(copy.buffer), name, notes);
  return {
    version,
    size: imageSize(header.dims, BYTES_PER_VOXEL[type], name),
    affine,
    geometry,
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

function niftiVersion(bytes: Uint8Array, name: string): 1 | 2 {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizes = bytes.length < 4 ? [] : [view.getInt32(0, true), view.getInt32(0, false)];
  const headerSize = sizes.find((size) => size === 348 || size === 540);
  const text = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  const magic = headerSize === 348 ? text(344, 347) : text(4, 7);

  if (headerSize !== undefined) {
    if (bytes.length < headerSize) {
      throw new UserError(
        `${name}: the file ends inside its NIfTI header (${bytes.length} of ${headerSize} bytes); ` +
          "copy it again from its source",
      );
    }
    if (magic === "n+1") return 1;
    if (magic === "n+2") return 2;
    if (magic === "ni1" || magic === "ni2") {
      throw new UserError(
        `${name}: a NIfTI .hdr/.img pair is not supported; ` +
          "convert it to one .nii.gz file, e.g. with fslchfiletype NIFTI_GZ",
      );
    }
  }
  throw new UserError(`${name}: not a NIfTI file (${fileKind(bytes, headerSize, text)})`);
}

function fileKind(
  bytes: Uint8Array,
  headerSize: number | undefined,
  text: (from: number, to: number) => string,
): string {
  if (bytes.length === 0) return "the file is empty; copy it again from its source";
  if (text(128, 132) === "DICM") return "it is DICOM; convert the series, e.g. with dcm2niix";
  if (headerSize === 348) return "it looks like Analyze 7.5; convert it to .nii.gz";
  const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `it starts with bytes ${start.join(" ")}; expected a .nii or .nii.gz image`;
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

function voxelType(code: number, name: string): VoxelType {
  const type = VOXEL_TYPES[code];
  if (type) return type;
  const known = UNSUPPORTED_TYPES[code];
  throw new UserError(
    `${name}: ${known ? `voxel type ${known} is not supported` : `unknown voxel type ${code}`}; ` +
      "expected integers or float32/float64; convert it, e.g. with fslmaths IN OUT -odt float",
  );
}

function voxelOffset(offset: number, headerSize: number, name: string): number {
  // Four bytes that announce extensions follow the header of a single file.
  const [least, most] = [headerSize + 4, headerSize + MOST_EXTENSIONS];
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

/** sform where its code is > 0, else qform, else the voxel size alone (the standard's method 1). */
function readGeometry(
  header: NIFTI1 | NIFTI2,
  view: DataView,
  name: string,
  notes: string[],
): Pick<NiftiInfo, "affine" | "geometry"> {
  const { sform_code, qform_code } = header;
  const sform = sform_code > 0 ? sformAffine(header, view) : undefined;
  if (sform && isInvertible(sform)) {
    return { affine: inMillimetres(sform, header, name, notes), geometry: "sform" };
  }
  const edges = header.pixDims.slice(1, 4);
  const [dx, dy, dz] = edges as [number, number, number];
  let affine: Affine | undefined;
  if (edges.every((mm) => mm > 0)) {
    if (qform_code > 0) affine = header.getQformMat().flat();
    else if (!sform) affine = [dx, 0, 0, 0, 0, dy, 0, 0, 0, 0, dz, 0, 0, 0, 0, 1];
  }
  if (!affine || !isInvertible(affine)) {
    throw new UserError(
      `${name}: no usable geometry in the header (sform_code ${sform_code}, qform_code ` +
        `${qform_code}, voxel size ${edges.join("×")}${sform ? ", singular sform" : ""}); ` +
        "copy it from an image on the same grid, e.g. with fslcpgeom, or export it again",
    );
  }
  const geometry = qform_code > 0 ? "qform" : "pixdim";
  if (sform) notes.push(`${name}: its sform is singular; its qform is used`);
  if (geometry === "pixdim") {
    notes.push(`${name}: no orientation in the header; its axes are taken as right, front, up`);
  }
  return { affine: inMillimetres(affine, header, name, notes), geometry };
}

function sformAffine(header: NIFTI1 | NIFTI2, view: DataView): Affine {
  const rows = Array.from({ length: 12 }, (_, i) =>
    header instanceof NIFTI1
      ? view.getFloat32(280 + 4 * i, header.littleEndian)
      : view.getFloat64(400 + 8 * i, header.littleEndian),
  );
  return [...rows, 0, 0, 0, 1];
}

function inMillimetres(
  affine: Affine,
  header: NIFTI1 | NIFTI2,
  name: string,
  notes: string[],
): Affine {
  const unit = header.xyzt_units & NIFTI1.SPATIAL_UNITS_MASK;
  const [factor, word] =
    unit === NIFTI1.UNITS_METER
      ? [1000, "metres"]
      : unit === NIFTI1.UNITS_MICRON
        ? [0.001, "micrometres"]
        : [1, "millimetres"];
  if (factor !== 1) notes.push(`${name}: its geometry is in ${word}, converted to mm`);
  const scaled = affine.map((value, index) => (index < 12 ? value * factor : value));
  const edges = voxelSize(scaled);
  if (edges.some((mm) => mm < VOXEL_EDGE_MM[0] || mm > VOXEL_EDGE_MM[1])) {
    throw new UserError(
      `${name}: voxels of ${edges.map((mm) => Number(mm.toPrecision(3))).join("×")} mm (header in ` +
        `${word}); expected ${VOXEL_EDGE_MM.join(" to ")} mm; correct the header's units or voxel size`,
    );
  }
  return scaled;
}
