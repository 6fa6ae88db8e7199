import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip, type ZlibOptions } from "node:zlib";
import { UserError } from "../core/errors";
import { determinant } from "./affine";
import { type Affine, type Grid, type Mask, type Volume, voxelSize } from "./volume";

const HEADER_BYTES = 352;
const UINT8 = 2;
const FLOAT32 = 16;
const UNITS_MM = 2;
/** "Aligned to something else": of the code's choices the one that claims least. */
const XFORM_ALIGNED = 2;
/** Size of maps and masks hardly depends on the level, time does: 3 is the knee. */
const GZIP_LEVEL = 3;
/** Bytes that zlib gives back at a time; its 16 KiB cost a tenth of the time. */
const CHUNK = 2 ** 20;

/**
 * Writes a mask as NIfTI-1, uint8, gzip by the extension: `.nii` or `.nii.gz`. The file appears
 * whole or not at all: it is written beside its place and then renamed.
 *
 * @throws UserError for another extension, a folder that is not there or not writable, a full disk,
 *   or a size beyond NIfTI-1's 32767
 */
export async function writeMask(path: string, mask: Mask): Promise<void> {
  await writeImage(path, mask, mask.data, UINT8);
}

/** Writes an image as NIfTI-1, float32; all else as `writeMask`. */
export async function writeVolume(path: string, volume: Volume): Promise<void> {
  await writeImage(path, volume, volume.data, FLOAT32);
}

/** Checks, before long work, that a path is one that `writeMask` and `writeVolume` accept. */
export function checkNiftiPath(path: string): void {
  if (!/\.nii(\.gz)?$/i.test(path)) {
    throw new UserError(`${path}: unknown extension for an image; end it in .nii.gz or .nii`);
  }
}

async function writeImage(
  path: string,
  grid: Grid,
  data: Uint8Array | Float32Array,
  datatype: number,
): Promise<void> {
  checkNiftiPath(path);
  if (data.length !== grid.size[0] * grid.size[1] * grid.size[2]) {
    throw new RangeError(`${path}: ${data.length} voxels for a grid of ${grid.size.join("×")}`);
  }
  if (grid.size.some((n) => n > 32767)) {
    throw new UserError(
      `${path}: ${grid.size.join("×")} voxels do not fit into NIfTI-1 (32767 per axis); crop it`,
    );
  }
  const file = new Uint8Array(HEADER_BYTES + data.byteLength);
  writeHeader(new DataView(file.buffer), grid, datatype, 8 * data.BYTES_PER_ELEMENT);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), HEADER_BYTES);
  const compress = path.toLowerCase().endsWith(".gz");
  const deflate = promisify<Uint8Array, ZlibOptions, Uint8Array>(gzip);
  const options = { level: GZIP_LEVEL, chunkSize: CHUNK };
  await writeAtomically(path, compress ? await deflate(file, options) : file);
}

/** Fills the first 352 bytes; offsets as in nifti1.h. Fields not set here stay 0: "unknown". */
function writeHeader(view: DataView, grid: Grid, datatype: number, bitsPerVoxel: number): void {
  const int16 = (at: number, value: number) => view.setInt16(at, value, true);
  const float32 = (at: number, value: number) => view.setFloat32(at, value, true);
  const text = (at: number, value: string) => {
    for (let i = 0; i < value.length; i++) view.setUint8(at + i, value.charCodeAt(i));
  };
  view.setInt32(0, 348, true);
  [3, ...grid.size, 1, 1, 1, 1].forEach((n, i) => {
    int16(40 + 2 * i, n);
  });
  int16(70, datatype);
  int16(72, bitsPerVoxel);
  const { affine } = grid;
  const rotation = quaternion(affine);
  const qfac = determinant(affine) < 0 ? -1 : 1;
  [qfac, ...voxelSize(affine), 0, 0, 0, 0].forEach((mm, i) => {
    float32(76 + 4 * i, mm);
  });
  float32(108, HEADER_BYTES);
  float32(112, 1); // scl_slope
  view.setUint8(123, UNITS_MM);
  text(148, "voxgrad");
  if (rotation) {
    int16(252, XFORM_ALIGNED);
    [...rotation, affine[3]!, affine[7]!, affine[11]!].forEach((value, i) => {
      float32(256 + 4 * i, value);
    });
  }
  int16(254, XFORM_ALIGNED);
  for (let i = 0; i < 12; i++) float32(280 + 4 * i, affine[i]!);
  text(344, "n+1");
}

/**
 * The qform's quaternion (b, c, d; a ≥ 0) of an affine, or undefined where the axes are not at right
 * angles: a qform cannot say that, so the file then has an sform only.
 */
function quaternion(affine: Affine): [number, number, number] | undefined {
  const edges = voxelSize(affine);
  const qfac = determinant(affine) < 0 ? -1 : 1;
  const r = (row: number, column: number) =>
    (affine[4 * row + column]! / edges[column]!) * (column === 2 ? qfac : 1);
  const dot = (a: number, b: number) => r(0, a) * r(0, b) + r(1, a) * r(1, b) + r(2, a) * r(2, b);
  if (Math.max(Math.abs(dot(0, 1)), Math.abs(dot(0, 2)), Math.abs(dot(1, 2))) > 1e-4) return;

  // Shepperd's method: divide by the largest of the four components, so that none cancels.
  const squares = [
    1 + r(0, 0) + r(1, 1) + r(2, 2),
    1 + r(0, 0) - r(1, 1) - r(2, 2),
    1 - r(0, 0) + r(1, 1) - r(2, 2),
    1 - r(0, 0) - r(1, 1) + r(2, 2),
  ];
  const largest = squares.indexOf(Math.max(...squares));
  const scale = 2 * Math.sqrt(squares[largest]!);
  const [yz, zx, xy] = [r(2, 1) - r(1, 2), r(0, 2) - r(2, 0), r(1, 0) - r(0, 1)];
  const [sxy, szx, syz] = [r(1, 0) + r(0, 1), r(0, 2) + r(2, 0), r(2, 1) + r(1, 2)];
  const table = [
    [squares[0]!, yz, zx, xy],
    [yz, squares[1]!, sxy, szx],
    [zx, sxy, squares[2]!, syz],
    [xy, szx, syz, squares[3]!],
  ];
  const [a, b, c, d] = table[largest]!.map((value) => value / scale);
  const sign = a! < 0 ? -1 : 1;
  return [sign * b!, sign * c!, sign * d!];
}

const WRITE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist; create it first",
  ENOTDIR: "its folder is a file; choose another path",
  EACCES: "no permission to write there; choose another path",
  EROFS: "the file system is read-only; choose another path",
  EISDIR: "is a folder; choose another path",
  ENOSPC: "the disk is full; free some space",
};

async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, bytes, { flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UserError(`${path}: cannot be written: ${WRITE_PROBLEMS[code ?? ""] ?? message}`);
  }
}
