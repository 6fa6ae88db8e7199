/** Unpacks a .zip of DICOM, within bounds. */
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { UserError } from "../core/errors";
import { refuseTooMuch } from "./limits";

/**
 * Writes the files of an archive into a folder, under names of their own. Sizes and checksums are
 * checked: no more is written than its directory promises.
 *
 * @throws UserError for what is no sound archive, is encrypted or too large
 * @throws the signal's reason when interrupted
 */
export async function unpackZip(path: string, folder: string, signal?: AbortSignal): Promise<void> {
  try {
    await checkDirectory(path);
    const zip = await open(path);
    let count = 0;
    for await (const entry of filesOf(zip)) {
      if (entry.isEncrypted()) {
        throw new UserError(`${path}: is encrypted; unpack it, and give the folder`);
      }
      const extension = /\.\w{1,8}$/.exec(entry.fileName)?.[0] ?? "";
      const to = join(folder, `${String(++count).padStart(6, "0")}${extension}`);
      await writeEntry(await zip.openReadStreamPromise(entry), entry, to, signal);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof UserError) throw error;
    throw new UserError(
      `${path}: damaged zip archive (${(error as Error).message}); copy it again from its source`,
    );
  }
}

const open = (path: string): Promise<ZipFile> => openPromise(path, { lazyEntries: true });

/** Before anything is written. @throws UserError for too much */
async function checkDirectory(path: string): Promise<void> {
  let [files, bytes] = [0, 0];
  for await (const { uncompressedSize } of filesOf(await open(path))) {
    files += 1;
    bytes += uncompressedSize;
    refuseTooMuch(path, files, bytes);
  }
}

/** Its files, without what a Mac adds. */
async function* filesOf(zip: ZipFile): AsyncGenerator<Entry, void> {
  for await (const entry of zip.eachEntry()) {
    if (!/\/$|^__MACOSX\/|(^|\/)\.[^/]*$/.test(entry.fileName)) yield entry;
  }
}

async function writeEntry(
  stream: Readable,
  { fileName, crc32: promised }: Entry,
  to: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  let found = 0;
  const checked = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      found = crc32(chunk, found);
      yield chunk;
    }
  };
  await pipeline(stream, checked, createWriteStream(to), { signal });
  if (found !== promised) throw new Error(`the checksum of ${fileName} is wrong`);
}
