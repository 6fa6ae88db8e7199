/** Reads a scan that a user names: a NIfTI file, or a folder or .zip of DICOM. */
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type FromFile, parseNifti } from "../data/nifti_decode";
import { readVolume } from "../data/nifti_read";
import type { Volume } from "../data/volume";
import { privateCacheDir, temporarySibling } from "../platform/cache";
import { firstBytesOf } from "../platform/input_file";
import { removeQuietly } from "../platform/leftovers";
import { acquisitionOf } from "./acquisition";
import { checkFolder } from "./bounds";
import { chooseSeries } from "./choose_series";
import { type Converter, convert, findConverter } from "./converter";
import type { Origin } from "./doubts";
import { unpackZip } from "./unpack_zip";

/** Its origin is known of DICOM only. */
export interface Scan extends Origin {
  readonly image: Volume & FromFile;
}

export interface ScanRequest {
  /** The number of the series, of DICOM, where its FLAIR is not the one to read. */
  readonly series?: number;
  /** The system's program by default, else the package. */
  readonly converter?: Converter;
  readonly signal?: AbortSignal;
}

/**
 * Reads a scan, as `readVolume` where it is a NIfTI file. DICOM is converted in a folder of the cache
 * that is its owner's alone, and that is removed.
 *
 * @throws UserError when it cannot be read or used, or when the series is not certain
 * @throws the signal's reason when interrupted
 */
export async function readScan(path: string, request: ScanRequest = {}): Promise<Scan> {
  const kind = kindOf(path);
  if (kind === "file") return { image: await readVolume(path) };
  const work = await temporarySibling(join(privateCacheDir("dicom"), "examination"));
  try {
    return await readDicom(path, kind, work, request);
  } finally {
    removeQuietly(work);
  }
}

async function readDicom(
  path: string,
  kind: "folder" | "zip",
  work: string,
  { series, converter = findConverter(), signal }: ScanRequest,
): Promise<Scan> {
  const [unpacked, output] = [join(work, "dicom"), join(work, "nifti")];
  for (const folder of [unpacked, output]) mkdirSync(folder);
  if (kind === "zip") await unpackZip(path, unpacked, signal);
  const input = kind === "zip" ? unpacked : path;
  checkFolder(input);
  const conversion = await convert(converter, input, output, path, { signal });
  const notes = [...conversion.notes];
  const chosen = chooseSeries(conversion, path, series, notes);
  const acquisition = acquisitionOf(chosen);
  const { seriesNumber = "", description = "" } = acquisition;
  const image = parseNifti(
    readFileSync(join(output, chosen.file)),
    `${path}, series ${seriesNumber}`,
  );
  notes.push(`${path}: series ${seriesNumber} (${description}), converted by ${converter.name}`);
  return {
    image: { ...image, notes: [...notes, ...image.notes] },
    acquisition,
    patient: chosen.sidecar.PatientID,
    examination: chosen.sidecar.StudyInstanceUID,
  };
}

function kindOf(path: string): "file" | "folder" | "zip" {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isDirectory()) return "folder";
  return status?.isFile() && isZip(path) ? "zip" : "file";
}

/** By its first bytes; an archive without files begins with the end of its directory. */
function isZip(path: string): boolean {
  try {
    const start = Buffer.from(firstBytesOf(path, 4)).toString("latin1");
    return ["PK\x03\x04", "PK\x05\x06"].includes(start);
  } catch {
    return false; // Its reader says why it cannot be read.
  }
}
