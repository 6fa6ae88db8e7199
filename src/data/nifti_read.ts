/** Reads NIfTI files, plain or gzip. */
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip, type ZlibOptions } from "node:zlib";
import { UserError } from "../core/errors";
import { type FromFile, parseMask, parseNifti } from "./nifti_decode";
import type { Mask, Volume } from "./volume";

/** Bytes that zlib gives back at a time; with its 16 KiB the handing over takes most of the time. */
const CHUNK = 2 ** 20;

/**
 * Reads a 3-D image, .nii or .nii.gz (recognised by content), as `parseNifti` says.
 *
 * @throws UserError when the file cannot be read or used; the message says why and what to do
 */
export async function readVolume(path: string): Promise<Volume & FromFile> {
  return parseNifti(await readBytes(path), path);
}

/** Reads a binary mask, in any of the formats of `readVolume`, as `parseMask` says. */
export async function readMask(path: string): Promise<Mask & FromFile> {
  return parseMask(await readBytes(path), path);
}

async function readBytes(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`${path}: ${READ_PROBLEMS[error.code ?? ""] ?? error.message}`);
  });
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  // zlib reads all members of the file and checks the CRC and the length of each.
  return inflate(bytes, { chunkSize: CHUNK }).catch((error: Error) => {
    throw new UserError(
      `${path}: damaged or cut-off gzip data (${error.message}); copy the file again from its source`,
    );
  });
}

const inflate = promisify<Uint8Array, ZlibOptions, Uint8Array>(gunzip);

const READ_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "no such file; check the path",
  EISDIR: "is a folder; expected a .nii or .nii.gz file",
  EACCES: "no permission to read the file",
};
