/** Reads NIfTI files, plain or gzip: the header first, then no more than it promises. */
import { createHash, type Hash } from "node:crypto";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { UserError } from "../core/errors";
import { inputFileChunks } from "../platform/input_file";
import { type FromFile, parseMask, parseNifti } from "./nifti_decode";
import { HEADER_BYTES, promisedBytes } from "./nifti_header";
import type { Mask, Volume } from "./volume";

/** Bytes that zlib gives back at a time; with its 16 KiB the handing over takes most of the time. */
const CHUNK = 2 ** 20;
/** Bytes after the voxels that are inflated to reach the checksum at the end of the gzip data. */
const MOST_AFTER = 2 ** 20;
const EXPECTED = "a .nii or .nii.gz file";

/**
 * Reads a 3-D image, .nii or .nii.gz (recognised by content), as `parseNifti` says. Of bytes after
 * the voxels a note tells.
 *
 * @throws UserError when the file cannot be read or used; the message says why and what to do
 */
export async function readVolume(path: string): Promise<Volume & FromFile> {
  const { bytes, notes } = await readBytes(path);
  const volume = parseNifti(bytes, path);
  return { ...volume, notes: [...volume.notes, ...notes] };
}

/** Reads a binary mask, in any of the formats of `readVolume`, as `parseMask` says. */
export async function readMask(path: string): Promise<Mask & FromFile> {
  const { bytes, notes } = await readBytes(path);
  const mask = parseMask(bytes, path);
  return { ...mask, notes: [...mask.notes, ...notes] };
}

/** Adds the bytes of an image's file to a hash. @throws UserError when the file cannot be read */
export async function hashImage(hash: Hash, path: string): Promise<void> {
  for await (const chunk of inputFileChunks(path, EXPECTED)) hash.update(chunk);
}

/** The hash of an image's file, in hexadecimal; each file is read once. @throws UserError as above */
export function digests(): (path: string) => Promise<string> {
  const known = new Map<string, Promise<string>>();
  const read = async (path: string) => {
    const hash = createHash("sha256");
    await hashImage(hash, path);
    return hash.digest("hex");
  };
  return (path) => {
    const found = known.get(path) ?? read(path);
    known.set(path, found);
    return found;
  };
}

interface FileBytes {
  readonly bytes: Uint8Array;
  readonly notes: readonly string[];
}

/** The file from its header to its last voxel, inflated. */
async function readBytes(path: string): Promise<FileBytes> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  let wanted: number = HEADER_BYTES;
  let checked = false;
  for await (const piece of inflated(inputFileChunks(path, EXPECTED), path)) {
    pieces.push(piece);
    length += piece.length;
    if (!checked && length >= wanted) {
      wanted = promisedBytes(joined(pieces), path);
      checked = true;
    }
    if (length > wanted + MOST_AFTER) break;
  }
  const bytes = joined(pieces);
  if (!checked) wanted = promisedBytes(bytes, path); // A file shorter than the longer header.
  if (length <= wanted) return { bytes, notes: [] };
  return { bytes: bytes.subarray(0, wanted), notes: [surplusNote(path, length - wanted)] };
}

function surplusNote(path: string, surplus: number): string {
  const [count, checksum] =
    surplus > MOST_AFTER
      ? [`more than ${MOST_AFTER}`, ", and of gzip data the checksum after them"]
      : [surplus, ""];
  return `${path}: ${count} bytes follow its last voxel; they are left aside${checksum}`;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/** The content of gzip data, else the bytes as they are. */
async function* inflated(
  chunks: AsyncGenerator<Uint8Array, void>,
  path: string,
): AsyncGenerator<Uint8Array, void> {
  const first = await firstBytes(chunks);
  if (first[0] !== 0x1f || first[1] !== 0x8b) {
    if (first.length > 0) yield first;
    yield* chunks;
    return;
  }
  // zlib reads all members of the file and checks the CRC and the length of each.
  const gunzip = createGunzip({ chunkSize: CHUNK });
  const source = Readable.from(rejoined(first, chunks));
  source.on("error", (error) => gunzip.destroy(error));
  try {
    for await (const piece of source.pipe(gunzip)) yield piece as Uint8Array;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `${path}: damaged or cut-off gzip data (${(error as Error).message}); ` +
        "copy the file again from its source",
    );
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/** Two bytes at least, where there are as many: a pipe may hand over a single one. */
async function firstBytes(chunks: AsyncGenerator<Uint8Array, void>): Promise<Uint8Array> {
  let bytes: Uint8Array = new Uint8Array();
  while (bytes.length < 2) {
    const next = await chunks.next();
    if (next.done) break;
    bytes = Buffer.concat([bytes, next.value]);
  }
  return bytes;
}

async function* rejoined(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void> {
  yield first;
  yield* rest;
}
