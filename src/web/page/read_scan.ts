/** A scan from a file that was dropped: NIfTI, plain or gzip. */
import { UserError } from "../../core/errors";
import { parseNifti } from "../../data/nifti_decode";
import { promisedBytes } from "../../data/nifti_header";
import type { ReadImage } from "../../run/placed_pair";

/** @throws UserError with what is wrong with the file, and what to do */
export async function readScan(file: File): Promise<ReadImage> {
  const { name } = file;
  const isGzip = await startsWith(file, [0x1f, 0x8b]);
  if (!isGzip && !/\.(nii|hdr)$/i.test(name)) throw new UserError(notNifti(name));
  const bytes = isGzip ? await inflated(file) : new Uint8Array(await file.arrayBuffer());
  const wanted = promisedBytes(bytes, name);
  const image = parseNifti(bytes.length > wanted ? bytes.subarray(0, wanted) : bytes, name);
  return { path: name, image };
}

function notNifti(name: string): string {
  if (/\.zip$/i.test(name)) return `${name}: is an archive; unpack it, and drop the folder`;
  return `${name}: is neither .nii nor .nii.gz, nor DICOM; give a NIfTI file, or a folder of DICOM`;
}

async function startsWith(file: File, bytes: readonly number[]): Promise<boolean> {
  const first = new Uint8Array(await file.slice(0, bytes.length).arrayBuffer());
  return bytes.every((byte, i) => first[i] === byte);
}

async function inflated(file: File): Promise<Uint8Array> {
  try {
    const stream = file.stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new UserError(
      `${file.name}: damaged or cut-off gzip data; copy the file again from its source, or unpack it first`,
    );
  }
}
