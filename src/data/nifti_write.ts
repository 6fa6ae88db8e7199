/** Writes NIfTI files, whole or not at all. */
import { basename } from "node:path";
import { promisify } from "node:util";
import { gzip, type ZlibOptions } from "node:zlib";
import { UserError } from "../core/errors";
import { writeAtomically } from "../platform/atomic_file";
import { niftiStem } from "./file_names";
import { encodeNifti } from "./nifti_encode";
import type { Grid, Mask, Volume } from "./volume";

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
  await writeImage(path, mask, mask.data);
}

/** Writes an image as NIfTI-1, float32; all else as `writeMask`. */
export async function writeVolume(path: string, volume: Volume): Promise<void> {
  await writeImage(path, volume, volume.data);
}

/** Checks, before long work, that a path is one that `writeMask` and `writeVolume` accept. */
export function checkNiftiPath(path: string): void {
  if (niftiStem(basename(path)) === undefined) {
    throw new UserError(`${path}: unknown extension for an image; end it in .nii.gz or .nii`);
  }
}

async function writeImage(
  path: string,
  grid: Grid,
  data: Uint8Array | Float32Array,
): Promise<void> {
  checkNiftiPath(path);
  const file = encodeNifti(grid, data, path);
  const compress = path.toLowerCase().endsWith(".gz");
  const deflate = promisify<Uint8Array, ZlibOptions, Uint8Array>(gzip);
  const options = { level: GZIP_LEVEL, chunkSize: CHUNK };
  writeAtomically(path, compress ? await deflate(file, options) : file);
}
